"""`rollout kafka` and `rollout flink`: a broker and a cluster on this machine, from published artefacts."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.errors import explained

if TYPE_CHECKING:
    from infra.processes import State

kafka = typer.Typer(help="A Kafka broker on this machine.", no_args_is_help=True)
flink = typer.Typer(help="A Flink cluster on this machine, with Beam's job server.", no_args_is_help=True)
INCOMPLETE = 1


@kafka.command("up")
@explained
def kafka_up(
    secure: Annotated[
        bool, typer.Option("--secure", help="TLS, and a password and rights of its own for every source.")
    ] = False,
) -> None:
    """Start the broker, installing it first if need be; print its address when it answers.

    A broker once started with --secure stays secured.
    """
    from infra.kafka import cluster, secured
    from infra.settings import cluster_settings

    home = home_folder()
    if secure or secured.is_secured(home):
        typer.echo(secured.up_secured(home, cluster_settings(), say))
        for line in secured.environment(home):
            say(line)
    else:
        typer.echo(cluster.up(home, cluster_settings(), say))


@kafka.command("down")
@explained
def kafka_down() -> None:
    """End the broker. Topics and their messages stay."""
    from infra.kafka import cluster

    typer.echo("Kafka has ended." if cluster.down(home_folder()) else "Kafka was not running.")


@kafka.command("status")
@explained
def kafka_status() -> None:
    """Tell how the broker does; exit status 0 only if it runs."""
    from infra.kafka import cluster
    from infra.settings import cluster_settings

    _tell(cluster.status(home_folder(), cluster_settings()))


@flink.command("up")
@explained
def flink_up() -> None:
    """Start what is missing of the cluster, installing it first if need be; print its address when it is ready."""
    from infra.flink import cluster
    from infra.settings import cluster_settings

    typer.echo(cluster.up(home_folder(), cluster_settings(), say))
    _say_if_not_watched(home_folder())


def _say_if_not_watched(home: Path) -> None:
    """Names the command that watches a stream again if it was not stopped and its supervisor does not run."""
    if not (home / "stream").exists():
        return
    from pipelines.cli.supervising import is_watched, was_stopped
    from pipelines.stream.record import current, is_kept

    if is_kept(home) and not is_watched(home, current(home)) and not was_stopped(home, current(home)):
        say(f"The stream of run {current(home).run_id} is not watched; `rollout stream watch` brings it back.")


@flink.command("down")
@explained
def flink_down() -> None:
    """End the cluster and its workers. Checkpoints and savepoints stay."""
    from infra.flink import cluster

    typer.echo("Flink has ended." if cluster.down(home_folder()) else "Flink was not running.")


@flink.command("status")
@explained
def flink_status() -> None:
    """Tell how each program of the cluster does; exit status 0 only if all run."""
    from infra.flink import cluster
    from infra.settings import cluster_settings

    _tell(cluster.status(home_folder(), cluster_settings()))


def home_folder() -> Path:
    """Returns the folder that holds everything the clusters and streams write."""
    from pipelines.settings import Environment

    return Environment().home


def say(line: str) -> None:
    """Prints the progress of long work on standard error."""
    typer.echo(line, err=True)


def _tell(states: Sequence["State"]) -> None:
    """Prints a line for each program, and exits with status 1 if one of them does not run."""
    header = ("program", "pid", "address", "memory", "log")
    rows = [(s.name, str(s.pid or "-"), s.address, f"{s.memory_mib} MiB" if s.pid else "-", str(s.log)) for s in states]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if any(state.pid is None for state in states):
        raise typer.Exit(INCOMPLETE)
