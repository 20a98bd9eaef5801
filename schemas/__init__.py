"""Definitions for events and published rows: record schemas, code lists, sources, geography, table columns."""
