"""Meter points are replaced by keyed digests in the first step that may; the raw id goes no further.

The digest is BLAKE2b with a secret key over fuel and meter point, 128 bits, kept as two
64-bit halves. Without the key nobody can find a meter point by trying all numbers. Cells
do not depend on the key.
"""

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from pipelines.settings import Environment, write_privately

KEY_VARIABLE: Final = "ROLLOUT_PSEUDONYM_KEY"
KEY_FILE_VARIABLE: Final = "ROLLOUT_PSEUDONYM_KEY_FILE"
DIGEST_BYTES: Final = 16
KEY_BYTES: Final = 32


class KeyMissing(Exception):
    """The pseudonym key cannot be read; the message is one sentence."""


class KeyChangedError(RuntimeError):
    """A worker finds another pseudonym key than the run began with."""


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A secret key; only its id, a digest of it, is ever shown."""

    secret: bytes

    @property
    def key_id(self) -> str:
        """Names the key without telling it: 12 hexadecimal digits."""
        return hashlib.blake2b(self.secret, digest_size=6, person=b"key-id").hexdigest()

    def __repr__(self) -> str:
        return f"Key({self.key_id})"


def key_from_text(text: str) -> Key:
    """The key that a setting or a key file gives: any text, white space at the ends ignored."""
    stripped = text.strip().encode()
    if not stripped:
        raise KeyMissing(f"The pseudonym key is empty; set {KEY_VARIABLE} or {KEY_FILE_VARIABLE} to a secret.")
    return Key(hashlib.blake2b(stripped, digest_size=KEY_BYTES, person=b"pseudonym").digest())


def load_key(environment: Environment) -> tuple[Key, str]:
    """The key and a sentence saying where it comes from; made once under the home folder if none is set.

    Raises KeyMissing where a key file cannot be read or the key is empty.
    """
    if environment.pseudonym_key is not None:
        return key_from_text(environment.pseudonym_key.get_secret_value()), f"Pseudonym key from {KEY_VARIABLE}."
    if environment.pseudonym_key_file is not None:
        key = key_from_file(environment.pseudonym_key_file)
        return key, f"Pseudonym key from the file that {KEY_FILE_VARIABLE} names."
    kept = environment.home / "pseudonym.key"
    if kept.exists():
        return key_from_file(kept), f"Pseudonym key from {kept}."
    _make(kept)
    return key_from_file(kept), f"No pseudonym key was set, so a random one was made in {kept}."


def worker_key_file(environment: Environment, path: Path) -> Path:
    """A file that holds the key for workers that do not share our environment: `path`, if the key is in no file yet."""
    if environment.pseudonym_key is not None:
        write_privately(path, environment.pseudonym_key.get_secret_value())
        return path
    return environment.pseudonym_key_file or environment.home / "pseudonym.key"


def key_from_file(path: Path) -> Key:
    """The key that a file holds. Raises KeyMissing."""
    return key_from_text(_read(path))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyMissing(f"The pseudonym key file {path} cannot be read.") from error


def _make(path: Path) -> None:
    """Makes a random key, whole at once: of two runs that start together, the first one's key is kept by both."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        write_privately(part, secrets.token_hex(KEY_BYTES))
        os.link(part, path)
    except FileExistsError:
        return
    except OSError as error:
        raise KeyMissing(f"A pseudonym key cannot be made in {path.parent}: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


def digests(fuels: pl.Series, points: pl.Series, key: Key) -> tuple[pl.Series, pl.Series]:
    """The halves (UInt64) of the keyed digest of every fuel code and meter point.

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
