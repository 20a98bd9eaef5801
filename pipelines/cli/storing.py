"""`rollout store migrate`: brings the tables, roles and rights of a store in PostgreSQL up to date."""

import typer

from pipelines.cli.counting import StoreUrl
from pipelines.cli.errors import explained

app = typer.Typer(no_args_is_help=True)


@app.callback()
def store() -> None:
    """A store in PostgreSQL: its tables, roles and rights."""


@app.command(no_args_is_help=True)
@explained
def migrate(store: StoreUrl) -> None:
    """Bring a store in PostgreSQL to this version's tables, roles and rights; its owner does that."""
    from infra.postgres.migrating import UnknownMigration, WrongEncoding
    from infra.postgres.migrating import migrate as bring_up_to_date
    from pipelines.store import StoreError
    from pipelines.store.opening import server

    backend = server(store)
    if backend is None:
        raise StoreError("Only a store in PostgreSQL is migrated; one in SQLite is made when it is first written.")
    try:
        with backend.writing() as connection:
            made = bring_up_to_date(connection)
    except (UnknownMigration, WrongEncoding) as error:
        raise StoreError(str(error)) from error
    for title in made:
        typer.echo(f"Made: {title}")
    typer.echo(f"The store {backend.name} is up to date.")
