"""The same pipeline as a first attempt would be: one event an element, one meter a key, state a meter.

It reads, validates, deduplicates and corrects all records, and counts `meters` and `installations`
only. It has no Great Expectations, quarantine, balance or store.
"""
