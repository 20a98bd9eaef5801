"""A bounded run on this machine: the Beam runner, its worker processes, its ports and its work folder."""
