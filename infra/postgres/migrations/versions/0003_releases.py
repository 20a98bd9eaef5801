"""Releases: layout 3. Markers may be several, a release says its status, and restricted vintages are kept."""

from alembic import op

revision = "0003"
down_revision = "0002"

CHANGES = """
    ALTER TABLE published_releases DROP CONSTRAINT ck_published_releases_marker;
    ALTER TABLE published_stock DROP CONSTRAINT ck_published_stock_marker;
    ALTER TABLE published_installations DROP CONSTRAINT ck_published_installations_marker;
    ALTER TABLE published_releases
        ADD COLUMN release_status text NOT NULL DEFAULT 'draft',
        ADD COLUMN figures bigint NOT NULL DEFAULT 0,
        ADD COLUMN changed_figures bigint NOT NULL DEFAULT 0;
    ALTER TABLE published_releases
        ALTER COLUMN release_status DROP DEFAULT,
        ALTER COLUMN figures DROP DEFAULT,
        ALTER COLUMN changed_figures DROP DEFAULT;
    CREATE TABLE release_vintages (
        vintage text PRIMARY KEY,
        quarter text NOT NULL,
        release_status text NOT NULL,
        created_at timestamptz NOT NULL,
        facts text NOT NULL,
        cells bytea NOT NULL,
        figures bytea NOT NULL
    );
    REVOKE ALL ON release_vintages FROM PUBLIC;
    -- A vintage never changes, so nobody may update or delete one.
    GRANT SELECT, INSERT ON release_vintages TO release;
    UPDATE store_version SET number = 3;
"""


def upgrade() -> None:
    """Gives the tables the columns and rights of layout 3."""
    op.execute(CHANGES)


def downgrade() -> None:
    """Raises NotImplementedError, since a release cannot be withdrawn."""
    raise NotImplementedError("restore a backup instead")
