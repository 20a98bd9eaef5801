"""Measures: what is counted, in which cell and in which quarter."""
