"""Brings a database to the newest migration, in the caller's transaction."""

from importlib.resources import files
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

ENCODING: Final = "UTF8"
FOLDER: Final = Path(str(files("infra.postgres"))) / "migrations"


class UnknownMigration(Exception):
    """A newer version of this program has migrated the database; the message is one sentence."""


class WrongEncoding(Exception):
    """The database does not keep its texts as UTF-8; the message is one sentence."""


def migrate(connection: sa.Connection) -> tuple[str, ...]:
    """Runs the missing migrations and returns their titles. Raises UnknownMigration and WrongEncoding.

    All run in the connection's transaction, which the caller ends.
    """
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != ENCODING:
        raise WrongEncoding(f"The database has the encoding {encoding}; make one with ENCODING '{ENCODING}'.")
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    before = MigrationContext.configure(connection).get_current_revision()
    known = [script.revision for script in scripts.walk_revisions()]
    if before is not None and before not in known:
        raise UnknownMigration("A newer version of this program has migrated the database; use that version.")
    missing = known[: known.index(before)] if before else known
    command.upgrade(config, "head")
    titles = (scripts.get_revision(revision) for revision in reversed(missing))
    return tuple(script.doc for script in titles if script is not None)
