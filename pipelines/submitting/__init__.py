"""Submitting events to the log: the dry run of the rules, the parcels that are sent, and their receipts."""
