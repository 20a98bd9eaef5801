"""A bounded run on this machine: its worker processes, and the ports that they listen at."""
