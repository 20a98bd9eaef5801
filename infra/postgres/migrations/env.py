"""How alembic runs a migration: on the connection that `infra.postgres.migrating` brings."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
# The transaction is the caller's.
context.run_migrations()
