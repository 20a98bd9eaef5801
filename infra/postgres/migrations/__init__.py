"""Migrations, laid out as alembic requires."""
