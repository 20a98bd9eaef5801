"""Quarters and measures: what is counted, where, and in which quarter."""
