"""Benchmarks: how fast the whole is, what its parts cost, and what the same job costs done otherwise."""
