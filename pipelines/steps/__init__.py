"""The bounded run as Beam transforms, one step a module: thin halves that key, count and call pure functions."""
