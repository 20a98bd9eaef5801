"""Paths that the environment names mean the same in every working folder, whoever they are handed to."""

from pathlib import Path

import pytest

from pipelines.log.connection import LogEnvironment
from pipelines.settings import Environment
from pipelines.store.settings import StoreEnvironment, with_password


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("settings", "prefix", "name"),
    [
        (Environment, "ROLLOUT_", "home"),
        (Environment, "ROLLOUT_", "pseudonym_key_file"),
        (StoreEnvironment, "ROLLOUT_STORE_", "password_file"),
        (LogEnvironment, "ROLLOUT_KAFKA_", "password_file"),
        (LogEnvironment, "ROLLOUT_KAFKA_", "ca_file"),
    ],
)
def test_a_relative_path_of_a_setting_is_absolute_when_it_is_read(
    settings: type, prefix: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{prefix}{name.upper()}", "some/where")
    assert getattr(settings(), name) == tmp_path / "some" / "where"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ROLLOUT_HOME", "~/rollout")
    assert Environment().home == tmp_path / "rollout"


def test_the_password_of_a_store_goes_into_no_address_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLOUT_STORE_PASSWORD", "hush")
    assert with_password("sqlite:////srv/a?b@c.db") == "sqlite:////srv/a?b@c.db"
    assert with_password("postgresql://me@host/rollout") == "postgresql://me:hush@host/rollout"
