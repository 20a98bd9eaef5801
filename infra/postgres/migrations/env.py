"""Runs migrations for alembic, on the connection that `infra.postgres.migrating` passes."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
# The caller begins and ends the transaction.
context.run_migrations()
