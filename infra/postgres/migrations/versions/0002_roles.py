"""The roles of the pipeline, the release and the dashboard, and nothing for anybody else.

Roles are groups: an administrator grants them to names that log in. Where they are there already, as another database
of the same server may have made them, they stay as they are.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

ROLES = ("pipeline", "release", "dashboard")
LEDGER = "ledger_cells, ledger_intake, ledger_quarantine, current_run, streams, fences"
PUBLISHED = "published_releases, published_stock, published_installations"
RIGHTS = f"""
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
    GRANT USAGE ON SCHEMA public TO {", ".join(ROLES)};
    GRANT SELECT, INSERT, UPDATE, DELETE ON {LEDGER} TO pipeline;
    GRANT SELECT, INSERT ON runs TO pipeline;
    GRANT SELECT ON {LEDGER}, runs TO release;
    GRANT SELECT, INSERT, UPDATE, DELETE ON {PUBLISHED} TO release;
    GRANT SELECT ON store_version TO pipeline, release;
    GRANT SELECT ON {PUBLISHED} TO dashboard;
"""
# Only the server knows the database's name.
ON_DATABASE = f"""
    DO $$ BEGIN
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO {", ".join(ROLES)}', current_database());
        -- Many rows at once go through a temporary table.
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO pipeline', current_database());
    END $$
"""


def upgrade() -> None:
    """Creates missing roles and grants each the rights that it needs."""
    for role in ROLES:
        op.execute(
            f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}')"
            f" THEN CREATE ROLE {role} NOLOGIN; END IF; END $$"
        )
    op.execute(RIGHTS)
    op.execute(ON_DATABASE)


def downgrade() -> None:
    """Raises NotImplementedError, since revoked rights must be granted again by hand."""
    raise NotImplementedError("drop the database instead")
