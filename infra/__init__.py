"""How the system runs, nothing of what it means: the local clusters of the stream will live here."""
