"""Sentences about the log: which topics are not counted, and what was deleted, recreated or added."""

from collections.abc import Iterable, Mapping
from typing import Final

from pipelines.log.offsets import Offsets, Range
from pipelines.log.topics import made_again, of_no_source

AGAIN: Final = "count the log again by `rollout run --kafka` and start a stream from its snapshot"


def of_strays(topics: Iterable[str]) -> list[str]:
    """Returns a line that names the topics of no known source, or none."""
    strays = of_no_source(topics)
    return [f"Not counted, as their names are of no known source: {', '.join(strays)}."] if strays else []


def of_beginnings(held: Iterable[Range]) -> list[str]:
    """Returns a line that names the partitions whose beginning the log no longer holds, or none."""
    cut = [f"{one.topic}/{one.partition} (from offset {one.start:,})" for one in held if one.start]
    return (
        [f"The log no longer holds the beginning of {', '.join(cut)}: what lay before is not counted."] if cut else []
    )


def of_topics_made_again(ids: Mapping[str, str], now: Mapping[str, str], since: str) -> str:
    """Returns which topics were deleted or recreated since a time, and what to do; empty if all are the same."""
    changed = made_again(ids, now)
    if not changed:
        return ""
    return (
        f"Deleted since {since}, or deleted and made again: {', '.join(changed)}. Its offsets are of other messages; "
        f"{AGAIN}."
    )


def of_new_partitions(begin: Offsets, held: Iterable[Range]) -> str:
    """Returns which partitions were added since a stream began, and what to do; empty if none was."""
    new = [f"{one.topic}/{one.partition}" for one in held if str(one.partition) not in begin.get(one.topic, {})]
    if not new:
        return ""
    return f"Added since the stream began, and not read by it: {', '.join(new)}; stop the stream, then {AGAIN}."


def of_deleted_unread(read: Offsets, held: Iterable[Range]) -> list[str]:
    """Returns a line that names the messages deleted from the log before a stream had read them, or none."""
    lost = [
        f"{one.topic}/{one.partition} (offsets {at:,} to {one.start - 1:,})"
        for one in held
        if (at := read.get(one.topic, {}).get(str(one.partition), one.start)) < one.start
    ]
    return [f"Deleted from the log, and not known to be read before: {', '.join(lost)}."] if lost else []
