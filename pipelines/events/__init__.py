"""Rows and columns of events: blocks, identifiers, outcomes, quarantine, conservation and times."""
