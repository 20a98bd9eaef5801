"""`rollout explain`: where a published figure comes from."""

from typing import Annotated

import typer

from pipelines.cli.counting import StoreUrl
from pipelines.cli.errors import explained


@explained
def explain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A release, such as 2026Q3-1.")],
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="A table, such as 1 or 7a; atoms for the finest cells.")
    ],
    words: Annotated[
        list[str], typer.Argument(metavar="ROW…", help="Which figure: column=value, or a value of any column.")
    ],
    store: StoreUrl,
) -> None:
    """Tell where a published figure comes from (restricted: it has exact counts)."""
    from pipelines.cli.releasing import released_as
    from pipelines.release.explain import explained as told
    from pipelines.release.explain import figure_of
    from pipelines.store import open_store

    released = released_as(open_store(store), name)
    for line in told(released, figure_of(released, table, words)):
        typer.echo(line)
