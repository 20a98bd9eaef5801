from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from pipelines.store import Fenced, Store, StoreError, open_store
from pipelines.store.errors import StoreConflict
from pipelines.store.live import LiveWrite
from pipelines.store.opening import server as backend_of
from pipelines.store.postgres import PostgresBackend
from pipelines.store.tables import CURRENT_RUN, LAYOUT
from tests.pipelines.store.runs import NOON, Cell, write
from tests.pipelines.store.streams import ACME, BOLT, begun, portion, values
from tests.postgres import PASSWORD, Server, free_port


@pytest.fixture
def store(postgres_url: str) -> Store:
    return open_store(postgres_url)


@pytest.fixture
def backend(postgres_url: str) -> PostgresBackend:
    """Another connection to the same store."""
    found = backend_of(postgres_url)
    assert found is not None
    return found


def refusal(url: str) -> str:
    with pytest.raises(StoreError) as refused:
        open_store(url)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    assert "cannot be reached, or went away" in refusal(f"postgresql://127.0.0.1:{free_port()}/rollout")


def test_a_database_that_is_not_there_is_one_sentence(postgres_server: Server) -> None:
    assert "has no such database" in refusal(postgres_server.url("nowhere"))


def test_a_database_without_our_tables_is_to_be_migrated(postgres_server: Server) -> None:
    assert "has no tables of ours yet; run `rollout store migrate" in refusal(postgres_server.url("postgres"))


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_is_not_of_utf8_is_refused(postgres_server: Server, encoding: str) -> None:
    name = postgres_server.database_of(encoding)
    words = f"is in a database of the encoding {encoding}; make one with ENCODING 'UTF8'."
    assert refusal(postgres_server.url(name)) == f"The store {postgres_server.url(name)} {words}"


@pytest.mark.parametrize("url", ["postgresql+psycopg2://h/d", "postgresql+asyncpg://h/d", "postgresql://h"])
def test_an_address_that_is_none_of_ours_is_refused(url: str) -> None:
    assert "write it as postgresql://user@host/database" in refusal(url)


@pytest.mark.parametrize(
    ("number", "words"), [(LAYOUT + 1, "by a newer version"), (1, "older version of this program; run `rollout store")]
)
def test_a_store_of_another_layout_is_refused(postgres_server: Server, number: int, words: str) -> None:
    name = postgres_server.new_database()
    postgres_server.execute(f"UPDATE store_version SET number = {number}", name)
    assert words in refusal(postgres_server.url(name))


def test_a_name_that_may_not_come_in_is_one_sentence(store: Store) -> None:
    url = store.name.replace("postgres@", "{}@")
    assert "does not accept that name" in refusal(url.format("stranger"))
    assert "does not accept that name" in refusal(url.format("nobody"))
    assert "does not let that name do this" in refusal(url.format("dashboard_login"))


@pytest.fixture
def guarded(store: Store) -> str:
    """The store for a name that needs a password, with a place for it."""
    return store.name.replace("postgres@", "with_password{}@")


def test_a_wrong_password_is_one_sentence_and_not_told(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (guarded.format(":hush"), f"{guarded.format('')}?password=hush"):
        sentence = refusal(url)
        assert "does not take that name and password" in sentence
        assert "hush" not in sentence
    assert "does not take that name and password" in refusal(guarded.format(""))
    monkeypatch.setenv("ROLLOUT_STORE_PASSWORD", "hush")
    assert "hush" not in refusal(guarded.format(""))


@pytest.mark.parametrize("name", ["ROLLOUT_STORE_PASSWORD", "ROLLOUT_STORE_PASSWORD_FILE", "PGPASSWORD"])
def test_the_password_may_be_kept_out_of_the_address(
    guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    monkeypatch.setenv(name, str(tmp_path / "password") if name.endswith("FILE") else PASSWORD)
    opened = open_store(guarded.format(""))
    write(opened, "first", Cell(7))
    assert opened.cells()["value"].to_list() == [7]


def test_a_password_file_that_is_not_there_is_one_sentence(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLOUT_STORE_PASSWORD_FILE", "/nowhere/password")
    assert refusal(guarded.format("")) == "The password file /nowhere/password cannot be read."


def test_a_read_sees_one_moment(store: Store, backend: PostgresBackend) -> None:
    write(store, "first", Cell(7))
    query = sa.select(CURRENT_RUN.c.run_id)
    with backend.reading() as connection:
        assert connection.scalar(query) == "first"
        write(store, "second", Cell(8))
        assert connection.scalar(query) == "first"


def test_a_read_writes_nothing(store: Store, backend: PostgresBackend) -> None:
    write(store, "first", Cell(7))
    with pytest.raises(StoreError, match="may only be read"), backend.reading() as connection:
        connection.execute(sa.delete(CURRENT_RUN))


def terminate(server: Server) -> None:
    """All connections but our own are cut, as by an administrator or a network."""
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rollout'")


def test_a_writer_that_is_cut_off_leaves_nothing_and_the_next_one_writes(
    store: Store, backend: PostgresBackend, postgres_server: Server
) -> None:
    begun(store).write_portions("live", [portion(ACME, None, (Cell(1, detail="old"),))])

    def is_cut_off() -> None:
        with backend.writing(live=True) as connection:
            LiveWrite(backend, connection, "live").write([portion(ACME, None, (Cell(2, detail="new"),))], NOON)
            terminate(postgres_server)

    with pytest.raises(StoreError, match="cannot be reached, or went away"):
        is_cut_off()
    assert values(store) == {"old": 1}
    assert store.write_portions("live", [portion(ACME, 1, (Cell(3, detail="old"),))]) == {ACME: 1}
    assert values(store) == {"old": 3}


def test_two_workers_write_different_keys_without_waiting_for_each_other(
    store: Store, backend: PostgresBackend
) -> None:
    begun(store)
    with backend.writing(live=True) as connection:
        LiveWrite(backend, connection, "live").write([portion(ACME, None, (Cell(1, detail="a"),))], NOON)
        # Would wait for ever for a lock that only the end of this block gives back.
        assert store.write_portions("live", [portion(BOLT, None, (Cell(2, detail="b"),))]) == {BOLT: 1}
        assert values(store) == {"b": 2}
    assert values(store) == {"a": 1, "b": 2}


def test_a_zombie_in_the_middle_of_its_transaction_does_not_undo_the_next_worker(
    store: Store, postgres_url: str, backend: PostgresBackend
) -> None:
    begun(store).write_portions("live", [portion(ACME)])
    other = backend_of(postgres_url)
    assert other is not None

    def write_late() -> None:
        with other.writing(live=True) as late:
            late.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))
            LiveWrite(other, late, "live").write([portion(ACME, 1, (Cell(9, detail="stale"),))], NOON)

    with backend.writing(live=True) as connection:
        LiveWrite(backend, connection, "live").write([portion(ACME, None, (Cell(2, detail="new"),))], NOON)
        with pytest.raises(StoreError, match="is in use by another program"):
            write_late()
    with pytest.raises(Fenced):
        store.write_portions("live", [portion(ACME, 1, (Cell(9, detail="stale"),))])
    assert values(store) == {"new": 2}


def test_a_deadlock_is_a_conflict_that_may_be_tried_again(store: Store, backend: PostgresBackend) -> None:
    begun(store)
    for code in ("40P01", "40001"):
        with pytest.raises(StoreConflict, match="try again"), backend.writing(live=True) as connection:
            connection.execute(sa.text(f"DO $$ BEGIN RAISE 'no' USING ERRCODE = '{code}'; END $$"))


def test_a_row_that_the_database_cannot_hold_is_our_fault_and_not_an_absence(store: Store) -> None:
    text = "".join(chr(0x4E00 + number) for number in range(4_000))
    with pytest.raises(OperationalError, match="index row"):
        write(store, "first", Cell(measure="meters_local", region_code=text))


def test_a_server_that_was_killed_and_started_again_is_written_on(postgres_server: Server) -> None:
    store = open_store(postgres_server.url(postgres_server.new_database()))
    begun(store).write_portions("live", [portion(ACME, None, (Cell(1, detail="a"),))])
    # Without fsync only what a checkpoint has written is sure to be there.
    postgres_server.execute("CHECKPOINT")
    postgres_server.kill()
    with pytest.raises(StoreError, match="cannot be reached, or went away"):
        store.write_portions("live", [portion(ACME, 1, (Cell(2, detail="a"),))])
    postgres_server.start()
    assert store.write_portions("live", [portion(ACME, 1, (Cell(3, detail="a"),))]) == {ACME: 1}
    assert values(store) == {"a": 3}
