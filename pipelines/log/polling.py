"""Polls a consumer for its next records, and names the batch if one cannot be read."""

import traceback
from typing import Any, Final

from pipelines.log.connection import LogError

POLL_MS: Final = 500
# The codecs by their numbers in a batch.
CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
# The function of kafka-python that unpacks batches; an error raised in it is caused by the batch.
_TAKES_APART: Final = "_unpack_records"


def polled(consumer: Any) -> dict[Any, list[Any]]:
    """Returns the next records by partition. Raises LogError for a batch that is damaged or has an unknown codec."""
    try:
        return consumer.poll(timeout_ms=POLL_MS)
    except Exception as error:
        sentence = _unreadable(error)
        if sentence is None:
            raise
        raise LogError(sentence) from error


def _unreadable(error: Exception) -> str | None:
    """Returns the sentence for an error that a batch caused, or None; the batch is found in the traceback."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        batch = frame.f_locals.get("batch")
        if frame.f_code.co_name == _TAKES_APART and batch is not None:
            at, code = frame.f_locals["tp"], batch.compression_type
            place = f"{at.topic}/{at.partition} at offset {batch.base_offset}"
            if code < len(CODECS):
                return f"The log holds a batch of messages that is damaged: {place}, codec {CODECS[code]}."
            return f"The log holds a batch of messages with an unknown codec: {place}, codec number {code}."
    return None
