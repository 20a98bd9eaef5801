"""A process that writes a key of a live stream: python -m tests.pipelines.store.live_writer URL RUN ROUNDS KEY."""

import sys

from pipelines.store import open_store
from tests.pipelines.store.runs import Cell
from tests.pipelines.store.streams import portion


def main(url: str, run_id: str, rounds: str, key: str) -> None:
    store, fence = open_store(url), None
    for number in range(1, int(rounds) + 1):
        both = (Cell(number, detail="first"), Cell(number, detail="second"))
        turned_away = {f"supplier.{key}/0/{number}": "NO"}
        fence = store.write_portions(run_id, [portion(key, fence, both, {"received": number}, {}, turned_away)])[key]


if __name__ == "__main__":
    main(*sys.argv[1:])
