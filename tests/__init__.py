"""The tests: builders, strategies, oracles, and a mirror of each package."""
