"""Rows and columns that events are handled in: blocks, identifiers, outcomes, quarantine, conservation, times."""
