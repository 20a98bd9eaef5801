"""The same pipeline as one would first write it: each event is an element, each meter a key with its own state.

It reads, validates, deduplicates and corrects all records, and counts `meters` and `installations`
only. It has no Great Expectations, quarantine, balance or store.
"""
