"""`rollout dashboard` and `rollout demo`: serve the published tables as pages, and run everything in one command."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.counting import StoreUrl
from pipelines.cli.errors import explained
from pipelines.cli.supplying import UNTIL, Dirt, Meters, Seed, Until

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]


@explained
def dashboard(store: StoreUrl, host: Host = "127.0.0.1", port: Port = 8050) -> None:
    """Serve the published figures as pages."""
    from dashboards.app import serve

    serve(store, host, port)


@explained
def demo(
    meters: Meters = 60_000,
    seed: Seed = 1,
    until: Until = UNTIL,
    dirt: Dirt = 0.05,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Whether to serve the dashboard at the end.")
    ] = True,
    port: Port = 8050,
) -> None:
    """Generate a synthetic Britain, count it, publish it as a draft and serve the dashboard."""
    import shutil

    from pipelines.cli.counting import Options, begin, keep
    from pipelines.cli.supplying import make
    from pipelines.settings import Environment
    from pipelines.store import open_store

    folder = Environment().home / "demo"
    events, ledger = folder / "events", folder / "rollout.db"
    shutil.rmtree(folder, ignore_errors=True)
    typer.echo(f"1 of 3: a synthetic Britain of {meters:,} meters, in {events}")
    make(events, (meters, seed, dirt), until)
    typer.echo("2 of 3: events to exact cells, on Beam's DirectRunner")
    opened = open_store(f"sqlite:///{ledger}", create=True)
    work = begin([events], Options())
    keep(work, work.count(), opened)
    _serve_or_say(ledger, serve, port)


def _serve_or_say(ledger: Path, serve: bool, port: int) -> None:
    url = f"sqlite:///{ledger}"
    if not serve:
        typer.echo(f"3 of 3: not served; `rollout dashboard --store {url}` shows it.")
        return
    typer.echo(f"3 of 3: the dashboard, at http://127.0.0.1:{port} (Ctrl+C ends it)")
    dashboard(url, "127.0.0.1", port)
