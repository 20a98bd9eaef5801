"""Migrations as alembic wants them laid out."""
