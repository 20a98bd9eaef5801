"""Numbers for shards, and for the totals of sources, by which Flink deals them evenly to its subtasks.

Flink gives a key to a subtask by a hash of the key's bytes, so of eight shards under their plain numbers two would go
to one worker and six to the other. Only the balance hangs on this: any numbers give the same cells.
"""

import functools
from typing import Final

from pipelines.events.columns import SOURCE_CODES

# Between how many Flink deals: its parallelism, as infra/flink/options.py sets it.
SUBTASKS: Final = 2
_WORD: Final = 0xFFFFFFFF


@functools.cache
def keys_of(shards: int, subtasks: int = SUBTASKS) -> tuple[int, ...]:
    """The key of each shard: the first of `shard`, `shard + shards`, … that goes to the shard's turn of subtasks."""
    return tuple(
        next(key for key in range(shard, _WORD, shards) if _dealt_to(key, subtasks) == shard % subtasks)
        for shard in range(shards)
    )


def shard_of_key(key: int, shards: int) -> int:
    """The shard that a key of `keys_of` stands for."""
    return key % shards


def key_of_totals(source: str) -> int:
    """The key under which the totals of a source, or of none, are kept: every subtask has one key for its sources.

    Each look at the state of a key waits for Flink's answer, and live events change the totals of most sources at once.
    """
    turn = SOURCE_CODES.index(source) + 1 if source else 0
    return keys_of(SUBTASKS)[turn % SUBTASKS]


def _dealt_to(key: int, subtasks: int) -> int:
    """The subtask of a key, where there are as many groups of keys as subtasks (`max_parallelism`).

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
