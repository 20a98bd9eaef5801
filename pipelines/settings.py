"""Settings from the environment: the folder of the program's own files, and its secret keys."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _absolute(path: Path) -> Path:
    """Returns the absolute path, valid in every working folder; expands a leading `~` if there is a home folder."""
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        return path.absolute()


# Absolute, since a process that receives the path, such as a worker, may run in another folder.
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class Environment(BaseSettings):
    """The settings: ROLLOUT_HOME and, for each key, its text (such as ROLLOUT_PSEUDONYM_KEY) or its file (_FILE)."""

    model_config = SettingsConfigDict(env_prefix="ROLLOUT_")

    home: AbsolutePath = Field(default_factory=lambda: Path.home() / ".rollout")
    pseudonym_key: SecretStr | None = None
    pseudonym_key_file: AbsolutePath | None = None
    disclosure_key: SecretStr | None = None
    disclosure_key_file: AbsolutePath | None = None
    signing_key: SecretStr | None = None
    signing_key_file: AbsolutePath | None = None


def write_privately(path: Path, text: str) -> None:
    """Writes a text to a file that only its owner can read, whoever could read it before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
