"""Secret keys: read from the environment or a file, or made once under the program's own folder; shown by id only."""

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from pipelines.settings import Environment, write_privately

KEY_BYTES: Final = 32


class KeyMissing(Exception):
    """A key is empty, or cannot be read or made; the message is one sentence."""


class KeyChangedError(RuntimeError):
    """A worker found another pseudonym key than the one the run began with."""


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A secret key; only its id, a digest of it, is ever shown."""

    secret: bytes

    @property
    def key_id(self) -> str:
        """The key's id, which does not disclose it: 12 hexadecimal digits."""
        return hashlib.blake2b(self.secret, digest_size=6, person=b"key-id").hexdigest()

    def __repr__(self) -> str:
        return f"Key({self.key_id})"


@dataclass(frozen=True, slots=True)
class Purpose:
    """The purpose of a key: its word in sentences, the names of its settings and file, and the tag of its digest."""

    word: str
    setting: str
    tag: bytes

    @property
    def variable(self) -> str:
        """The environment variable that holds the key."""
        return f"ROLLOUT_{self.setting.upper()}"

    @property
    def file_variable(self) -> str:
        """The environment variable that names the key's file."""
        return f"{self.variable}_FILE"

    @property
    def file_name(self) -> str:
        """The key's file under the program's own folder."""
        return f"{self.word}.key"


PSEUDONYM: Final = Purpose("pseudonym", "pseudonym_key", b"pseudonym")
DISCLOSURE: Final = Purpose("disclosure", "disclosure_key", b"disclosure")
SIGNING: Final = Purpose("signing", "signing_key", b"signing")


def key_from_text(text: str, purpose: Purpose = PSEUDONYM) -> Key:
    """Returns the key made from the text of a setting or key file, outer white space ignored. Raises KeyMissing."""
    stripped = text.strip().encode()
    if not stripped:
        raise KeyMissing(
            f"The {purpose.word} key is empty; set {purpose.variable} or {purpose.file_variable} to a secret."
        )
    return Key(hashlib.blake2b(stripped, digest_size=KEY_BYTES, person=purpose.tag).digest())


def load_key(environment: Environment, purpose: Purpose = PSEUDONYM) -> tuple[Key, str]:
    """Returns the key and a sentence that says where it comes from; makes one under the home folder if none is set.

    Raises KeyMissing if a key file cannot be read or made, or the key is empty.
    """
    named = purpose.word.capitalize()
    text: SecretStr | None = getattr(environment, purpose.setting)
    if text is not None:
        return key_from_text(text.get_secret_value(), purpose), f"{named} key from {purpose.variable}."
    path: Path | None = getattr(environment, f"{purpose.setting}_file")
    if path is not None:
        return key_from_file(path, purpose), f"{named} key from the file that {purpose.file_variable} names."
    kept = environment.home / purpose.file_name
    if kept.exists():
        return key_from_file(kept, purpose), f"{named} key from {kept}."
    _make(kept, purpose)
    return key_from_file(kept, purpose), f"No {purpose.word} key was set, so a random one was made in {kept}."


def worker_key_file(environment: Environment, path: Path) -> Path:
    """Returns a file with the pseudonym key, for workers without our environment.

    Writes the key to `path` if it is in no file yet.
    """
    if environment.pseudonym_key is not None:
        write_privately(path, environment.pseudonym_key.get_secret_value())
        return path
    return environment.pseudonym_key_file or environment.home / PSEUDONYM.file_name


def key_from_file(path: Path, purpose: Purpose = PSEUDONYM) -> Key:
    """Returns the key that a file holds. Raises KeyMissing if the file cannot be read or is empty."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyMissing(f"The {purpose.word} key file {path} cannot be read.") from error
    return key_from_text(text, purpose)


def _make(path: Path, purpose: Purpose) -> None:
    """Makes a key file with a random key in one step: of two runs that start together, both use the first one's key."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        write_privately(part, secrets.token_hex(KEY_BYTES))
    except OSError as error:
        raise KeyMissing(f"A {purpose.word} key cannot be made in {path.parent}: {error.strerror}.") from error
    try:
        os.link(part, path)
    except FileExistsError:
        return
    except OSError as error:
        raise KeyMissing(f"A {purpose.word} key cannot be made in {path.parent}: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
