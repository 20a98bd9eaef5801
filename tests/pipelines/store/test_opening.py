import shutil
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipelines.store import StoreError, StoreMissing, open_store
from pipelines.store.opening import absolute
from pipelines.store.tables import LAYOUT
from tests.addresses import FILES, OTHERS, STRANGE_NAMES
from tests.pipelines.store.runs import Cell, new_store, write

Unprivileged = Callable[[], AbstractContextManager[None]]


def refusal(url: str, create: bool = False) -> str:
    with pytest.raises(StoreError) as refused:
        open_store(url, create)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "names no file"),
        ("sqlite://", "with three slashes"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:rollout.db", "with three slashes"),
        ("sqlite://rollout.db", "with three slashes"),
        ("sqlite+pysqlite:///rollout.db", "with three slashes"),
        ("postgresql://localhost:1/rollout", "cannot be reached"),
        ("postgresql://localhost", "names no database"),
        ("mysql+pymysql://localhost/rollout", "in mysql is not supported"),
        ("http://localhost:port/", "is not understood"),
        ("://", "is not understood"),
    ],
)
def test_an_address_that_is_none_of_ours_is_refused(url: str, words: str) -> None:
    assert words in refusal(url, create=True)


def test_a_refusal_does_not_tell_the_password() -> None:
    assert "hush" not in refusal("postgresql://release:hush@localhost/rollout")


def test_a_missing_store_is_refused_and_not_made(tmp_path: Path) -> None:
    assert "There is no store at" in refusal(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


def test_opening_to_write_makes_no_file_yet(tmp_path: Path) -> None:
    new_store(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_refused_and_not_made(tmp_path: Path) -> None:
    assert "does not exist" in refusal(f"sqlite:///{tmp_path}/none/rollout.db", create=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("create", [False, True])
def test_a_folder_is_no_store(tmp_path: Path, create: bool) -> None:
    assert "is a folder" in refusal(str(tmp_path), create)


@pytest.mark.parametrize("create", [False, True])
def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path, create: bool) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear reader, " * 1000)
    assert "is not a store" in refusal(str(file), create)
    assert file.read_text() == "Dear reader, " * 1000


@pytest.mark.parametrize("create", [False, True])
def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path, create: bool) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    before = (tmp_path / "other.db").read_bytes()
    assert "not a store that this program wrote" in refusal(str(tmp_path / "other.db"), create)
    assert (tmp_path / "other.db").read_bytes() == before


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize(("number", "words"), [(LAYOUT + 1, "by a newer version"), (0, "by an older version")])
def test_a_store_of_another_layout_is_refused(tmp_path: Path, number: int, words: str, create: bool) -> None:
    write(new_store(tmp_path), "first", Cell())
    with closing(sqlite3.connect(tmp_path / "rollout.db")) as connection, connection:
        connection.execute("UPDATE store_version SET number = ?", (number,))
    assert words in refusal(str(tmp_path / "rollout.db"), create)


def test_a_damaged_store_is_one_sentence(tmp_path: Path) -> None:
    write(new_store(tmp_path), "first", Cell())
    file = tmp_path / "rollout.db"
    whole = file.read_bytes()
    file.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    assert "is damaged" in refusal(str(file))


def test_a_plain_path_is_a_store_too(tmp_path: Path) -> None:
    write(new_store(tmp_path), "first", Cell(7))
    assert open_store(str(tmp_path / "rollout.db")).cells()["value"].to_list() == [7]


@pytest.mark.parametrize("scheme", ["", "sqlite:///"])
@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_signs_in_a_path_mean_nothing_with_a_scheme_before_it_or_without(
    tmp_path: Path, scheme: str, name: str
) -> None:
    folder = tmp_path / "50% done? #1 & more"
    folder.mkdir()
    write(open_store(f"{scheme}{folder}/{name}", create=True), "first", Cell(7))
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize("form", FILES)
def test_an_address_made_absolute_means_the_same_in_another_folder(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir()
    monkeypatch.chdir(here)
    write(open_store(form, create=True), "first", Cell(7))
    address = absolute(form)
    monkeypatch.chdir(elsewhere)
    assert open_store(address).cells()["value"].to_list() == [7]
    assert absolute(address) == address
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("form", [*OTHERS, "postgresql://host/rollout?sslmode=require&sslrootcert=system"])
def test_an_address_of_no_file_stays_as_it_is(form: str) -> None:
    assert absolute(form) == form


def test_the_files_that_an_address_of_postgresql_names_are_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = sa.make_url(absolute("postgresql://me:p%40ss@host/rollout?sslmode=verify-full&sslrootcert=tls/ca.pem"))
    assert (made.password, dict(made.query)) == (
        "p@ss",
        {"sslmode": "verify-full", "sslrootcert": f"{tmp_path}/tls/ca.pem"},
    )


def test_a_missing_store_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        open_store(str(tmp_path / "none.db"))


def test_a_store_that_may_not_be_read_is_refused(
    tmp_path: Path, closed_folder: Path, unprivileged: Unprivileged
) -> None:
    write(new_store(tmp_path), "first", Cell())
    closed_folder.chmod(0o755)
    shutil.copy(tmp_path / "rollout.db", closed_folder)
    (closed_folder / "rollout.db").chmod(0)
    with unprivileged():
        assert "cannot be opened" in refusal(str(closed_folder / "rollout.db"))


def test_a_store_that_may_only_be_read_can_be_read_but_not_written(
    tmp_path: Path, closed_folder: Path, unprivileged: Unprivileged
) -> None:
    write(new_store(tmp_path), "first", Cell(7))
    closed_folder.chmod(0o755)
    shutil.copy(tmp_path / "rollout.db", closed_folder)
    (closed_folder / "rollout.db").chmod(0o444)
    closed_folder.chmod(0o555)
    with unprivileged():
        store = open_store(str(closed_folder / "rollout.db"), create=True)
        assert store.cells()["value"].to_list() == [7]
        with pytest.raises(StoreError, match="may not be written"):
            write(store, "second", Cell(8))


def test_a_folder_that_may_not_be_written_is_refused_before_there_is_anything_to_write(
    closed_folder: Path, unprivileged: Unprivileged
) -> None:
    with unprivileged():
        assert "may not be written" in refusal(str(closed_folder / "rollout.db"), create=True)
