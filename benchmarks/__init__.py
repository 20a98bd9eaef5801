"""Benchmarks: the speed of whole runs, the cost of their parts, and the cost of the same job in other programs."""
