"""The command line, `rollout`: thin verbs over the pipeline. Heavy imports happen inside the verbs."""
