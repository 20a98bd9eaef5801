"""What the environment sets: where the program keeps its own files, and the pseudonym key."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Environment(BaseSettings):
    """Settings by their names: ROLLOUT_HOME, ROLLOUT_PSEUDONYM_KEY, ROLLOUT_PSEUDONYM_KEY_FILE."""

    model_config = SettingsConfigDict(env_prefix="ROLLOUT_")

    home: Path = Field(default_factory=lambda: Path.home() / ".rollout")
    pseudonym_key: SecretStr | None = None
    pseudonym_key_file: Path | None = None
