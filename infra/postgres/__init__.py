"""Makes and updates the store's tables, roles and rights in PostgreSQL by migrations."""
