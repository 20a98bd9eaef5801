"""What the environment sets: where the program keeps its own files, and the pseudonym key."""

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Environment(BaseSettings):
    """Settings by their names: ROLLOUT_HOME, ROLLOUT_PSEUDONYM_KEY, ROLLOUT_PSEUDONYM_KEY_FILE."""

    model_config = SettingsConfigDict(env_prefix="ROLLOUT_")

    home: Path = Field(default_factory=lambda: Path.home() / ".rollout")
    pseudonym_key: SecretStr | None = None
    pseudonym_key_file: Path | None = None


def write_privately(path: Path, text: str) -> None:
    """The file holds the text and is readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
