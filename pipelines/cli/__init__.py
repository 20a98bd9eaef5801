"""The command line, `rollout`: thin verbs over the pipeline. Heavy imports happen inside the verbs."""

from pipelines.cli.app import main

__all__ = ["main"]
