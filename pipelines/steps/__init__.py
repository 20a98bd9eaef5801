"""The bounded run as Beam transforms, one step a module: thin classes that key, count and call pure functions."""
