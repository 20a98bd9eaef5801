"""From event files to exact quarterly cells: start at `flow.py`."""
