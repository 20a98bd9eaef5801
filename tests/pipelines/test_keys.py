"""Secret keys: what makes one, and what becomes of a home that cannot hold one."""

from pathlib import Path

import pytest

from pipelines.keys import DISCLOSURE, PSEUDONYM, KeyMissing, key_from_text, load_key
from pipelines.settings import Environment, write_privately


def test_keys_of_two_purposes_differ_for_the_same_text() -> None:
    assert key_from_text("a secret", PSEUDONYM).key_id != key_from_text("a secret", DISCLOSURE).key_id


def test_a_key_is_made_once_and_read_again(tmp_path: Path) -> None:
    first, made = load_key(Environment(home=tmp_path / "home"), DISCLOSURE)
    again, read = load_key(Environment(home=tmp_path / "home"), DISCLOSURE)
    assert first == again
    assert made.startswith("No disclosure key was set")
    assert read == f"Disclosure key from {tmp_path / 'home' / 'disclosure.key'}."
    assert (tmp_path / "home" / "disclosure.key").stat().st_mode & 0o777 == 0o600


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(KeyMissing, match="A pseudonym key cannot be made in"):
        load_key(Environment(home=tmp_path / "home"))


def test_a_file_that_others_could_read_is_private_once_it_holds_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(mode=0o644)
    write_privately(path, "secret")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("secret", 0o600)
