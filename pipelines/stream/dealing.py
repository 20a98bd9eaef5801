"""Chooses key numbers for shards and for sources' totals, so that Flink deals them evenly to its subtasks.

Flink assigns a key to a subtask by a hash of the key's bytes: with their plain numbers as keys, two of eight shards
would go to one worker and six to the other. Only the balance depends on this: any numbers lead to the same cells.
"""

import functools
from typing import Final

from pipelines.events.columns import SOURCE_CODES

# The number of subtasks: Flink's parallelism, as infra/flink/options.py sets it.
SUBTASKS: Final = 2
_WORD: Final = 0xFFFFFFFF


@functools.cache
def keys_of(shards: int, subtasks: int = SUBTASKS) -> tuple[int, ...]:
    """Returns each shard's key: the first of `shard`, `shard + shards`, … that is dealt to `shard % subtasks`."""
    return tuple(
        next(key for key in range(shard, _WORD, shards) if _dealt_to(key, subtasks) == shard % subtasks)
        for shard in range(shards)
    )


def shard_of_key(key: int, shards: int) -> int:
    """Returns the shard of a key of `keys_of`."""
    return key % shards


def key_of_totals(source: str) -> int:
    """Returns the key under which the totals of a source, or of no source (empty), are kept.

    Every subtask has one key for all its sources, because each read of a key's state waits for Flink's answer and live
    events change the totals of most sources at once.
    """
    turn = SOURCE_CODES.index(source) + 1 if source else 0
    return keys_of(SUBTASKS)[turn % SUBTASKS]


def _dealt_to(key: int, subtasks: int) -> int:
    """Returns the subtask of a key, given as many key groups as subtasks (`max_parallelism`).

    As in Flink's KeyGroupRangeAssignment: murmur hash of Java's hash of the buffer that holds Beam's bytes of the key.
    """
    return abs(_signed(_murmur(_buffer_hash(_varint(key))))) % subtasks


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _buffer_hash(data: bytes) -> int:
    out = 1
    for byte in reversed(data):
        out = (31 * out + byte - (byte >> 7) * 256) & _WORD
    return out


def _murmur(code: int) -> int:
    code = _rotated(code * 0xCC9E2D51 & _WORD, 15) * 0x1B873593 & _WORD
    code = (_rotated(code, 13) * 5 + 0xE6546B64) & _WORD
    code ^= 4
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        code = (code ^ code >> shift) * factor & _WORD
    return code


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & _WORD


def _signed(word: int) -> int:
    return word - (word >> 31 << 32)
