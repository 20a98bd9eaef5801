"""The stream on Flink, from the log to the ledger: one module for each step, and the state of workers and keys."""
