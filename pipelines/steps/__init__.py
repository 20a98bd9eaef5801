"""The bounded run as Beam transforms, one step per module: thin classes that key, count and call pure functions."""
