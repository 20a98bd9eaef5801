"""What the environment sets: where the program keeps its own files, and its secret keys."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _absolute(path: Path) -> Path:
    """The path means the same in every working folder; `~` at its beginning is the home folder, where there is one."""
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        return path.absolute()


# Whoever the path is handed to, such as a worker, may work in another folder.
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class Environment(BaseSettings):
    """Settings by their names: ROLLOUT_HOME, and for each key such as ROLLOUT_PSEUDONYM_KEY its text or its _FILE."""

    model_config = SettingsConfigDict(env_prefix="ROLLOUT_")

    home: AbsolutePath = Field(default_factory=lambda: Path.home() / ".rollout")
    pseudonym_key: SecretStr | None = None
    pseudonym_key_file: AbsolutePath | None = None
    disclosure_key: SecretStr | None = None
    disclosure_key_file: AbsolutePath | None = None
    signing_key: SecretStr | None = None
    signing_key_file: AbsolutePath | None = None


def write_privately(path: Path, text: str) -> None:
    """The file holds the text and is readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
