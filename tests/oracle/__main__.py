"""`python -m tests.oracle PATH... [--as-at T] [--out FILE]`: the plain recount as `rollout cells` would write it."""

import argparse
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from tests.oracle.compare import cells_csv
from tests.oracle.plain import recount
from tests.oracle.quarters import end_of_day


def moment(text: str) -> datetime:
    """A time, UTC unless it says otherwise; a bare date means its end in London."""
    if len(text) == len("2026-04-03"):
        return end_of_day(date.fromisoformat(text))
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def main(arguments: list[str] | None = None) -> None:
    """Writes the cells to a file or to the standard output; exit status 2 for arguments that make no sense."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description="Recounts the cells in plain Python.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="folders or Avro files")
    parser.add_argument("--as-at", type=moment, metavar="T", help="use only what was received by this time")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write here instead of to the standard output")
    chosen = parser.parse_args(arguments)
    for path in chosen.paths:
        if not path.exists():
            parser.error(f"There is no {path}.")
    text = cells_csv(recount(chosen.paths, chosen.as_at).cells)
    if chosen.out is None:
        sys.stdout.write(text)
    else:
        chosen.out.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
