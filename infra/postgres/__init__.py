"""The store's tables, roles and rights in PostgreSQL, made and brought up to date by migrations."""
