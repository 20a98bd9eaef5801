"""Replaces meter points by keyed digests in the first step that can; the raw id goes no further.

The digest is BLAKE2b with a secret key over fuel and meter point, 128 bits, kept as two 64-bit halves. Without the key
nobody can find a meter point by trying all numbers. Cells do not depend on the key.
"""

import hashlib
from typing import Any, Final

import numpy as np
import polars as pl

from pipelines.keys import Key

DIGEST_BYTES: Final = 16


def digests(fuels: pl.Series, points: pl.Series, key: Key) -> tuple[pl.Series, pl.Series]:
    """Returns the halves (UInt64) of the keyed digest of every fuel code and meter point.

    Each distinct meter point of the block is digested once.
    """
    texts = pl.select(pl.concat_str(fuels.cast(pl.String), points).cast(pl.Binary).alias("text"))
    distinct = texts.unique()
    settings: Any = {"key": key.secret, "digest_size": DIGEST_BYTES, "person": b"meter-point"}
    joined = b"".join([hashlib.blake2b(text, **settings).digest() for text in distinct["text"].to_list()])
    halves = np.frombuffer(joined, dtype=">u8").astype(np.uint64).reshape(-1, 2)
    table = distinct.with_columns(a=pl.Series(halves[:, 0]), b=pl.Series(halves[:, 1]))
    found = texts.join(table, on="text", how="left", maintain_order="left")
    return found["a"], found["b"]
