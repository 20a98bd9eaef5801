"""A real PostgreSQL for tests: a server of its own in a temporary folder, and a new database for each test."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import sqlalchemy as sa

from infra.postgres.migrating import migrate

OWNER = "postgres"
TEMPLATE = "rollout_template"
EMPTIED = "rollout"
# Everybody is believed but one.
ACCESS = """
host all with_password 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
PASSWORD = "open sesame"
TABLES = """
ledger_cells, ledger_intake, ledger_quarantine, published_releases, published_stock, published_installations, runs,
current_run, streams, fences
"""
START_SECONDS = 30
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "40",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}


class NoPostgres(RuntimeError):
    """The programs of PostgreSQL are not installed."""


def program(name: str) -> str:
    """The path of a program of PostgreSQL; raises NoPostgres."""
    found = shutil.which(name) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None
    )
    if found is None:
        raise NoPostgres(
            f"The tests need {name} of PostgreSQL 15 or newer: apt-get install postgresql, or put it on PATH."
        )
    return found


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Server:
    """A server that is running, or killed and to be started again."""

    folder: Path
    port: int = field(default_factory=free_port)
    numbers: Iterator[int] = field(default_factory=count)
    process: subprocess.Popen[bytes] | None = None
    emptied: bool = False

    def url(self, database: str = "postgres", user: str = OWNER) -> str:
        """A database's address for one who needs no password."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def make(self) -> None:
        """The server's files are made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, OWNER)
        words = ["--no-sync", "--auth=trust", f"--username={OWNER}", "--encoding=UTF8", "--locale=C"]
        command = [program("initdb"), *words, str(self.folder / "data")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, user=_owner())
        (self.folder / "data" / "pg_hba.conf").write_text(ACCESS)

    def start(self) -> None:
        """The server answers."""
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = [program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *settings]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder, user=_owner()
        )
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > give_up:
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """The server and all its connections are gone at once, as when the machine fails."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in (self.process.pid, *map(int, children)):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """The server is stopped, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(START_SECONDS)

    def execute(self, statement: str, database: str = "postgres") -> None:
        """The owner has executed a statement."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def make_template(self) -> None:
        """There is a migrated database that others are copied from, and a login for each role."""
        self.execute(f"CREATE DATABASE {TEMPLATE}")
        migrated(self.url(TEMPLATE))
        for role in ("pipeline", "release", "dashboard"):
            self.execute(f"CREATE ROLE {role}_login LOGIN IN ROLE {role}")
        self.execute("CREATE ROLE stranger LOGIN")
        self.execute(f"CREATE ROLE with_password LOGIN PASSWORD '{PASSWORD}' IN ROLE pipeline")

    def new_database(self, name: str = "") -> str:
        """The name of a new database like the template, with the same rights."""
        name = name or f"rollout_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        # Rights on the database itself are not copied with it.
        self.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        self.execute(f"GRANT CONNECT ON DATABASE {name} TO pipeline, release, dashboard")
        self.execute(f"GRANT TEMPORARY ON DATABASE {name} TO pipeline")
        return name

    def database_of(self, encoding: str) -> str:
        """The name of a new database without any table, whose texts are in an encoding."""
        name = f"encoded_{next(self.numbers)}"
        words = f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        self.execute(f"CREATE DATABASE {name} {words}")
        return name

    def empty_store(self) -> str:
        """The address of one database without any row, which is emptied for each test: sooner than a new one."""
        if self.emptied:
            self.execute(f"TRUNCATE {TABLES}", EMPTIED)
        else:
            self.new_database(EMPTIED)
            self.emptied = True
        return self.url(EMPTIED)


def _owner() -> str | None:
    """PostgreSQL does not run as root."""
    return OWNER if os.geteuid() == 0 else None


def migrated(url: str) -> None:
    """The database that an address names has all tables, roles and rights."""
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        migrate(connection)


@contextmanager
def postgres() -> Iterator[Server]:
    """A server with a template; its files go when it does. Raises NoPostgres."""
    with tempfile.TemporaryDirectory(prefix="rollout-postgres-") as folder:
        Path(folder).chmod(0o711)
        server = Server(Path(folder) / "server")
        server.make()
        try:
            server.start()
            server.make_template()
            yield server
        finally:
            server.stop()
