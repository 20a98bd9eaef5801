"""The stream on Flink, from the log to the ledger: one step a module, and what a worker and a key keep."""
