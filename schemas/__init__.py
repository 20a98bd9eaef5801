"""What is true about an event and a published row: record schemas, code lists, sources, geography, table columns."""
