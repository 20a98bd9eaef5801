"""What holds for every test: a home of its own, no key from outside, and Hypothesis without a stopwatch."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Server, postgres

settings.register_profile("rollout", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("rollout")
SECRETS = (
    "ROLLOUT_PSEUDONYM_KEY",
    "ROLLOUT_PSEUDONYM_KEY_FILE",
    "ROLLOUT_STORE_PASSWORD",
    "ROLLOUT_STORE_PASSWORD_FILE",
    "PGPASSWORD",
)


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keys and runs of the tests go to a temporary folder, whatever the environment says."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ROLLOUT_HOME", str(tmp_path_factory.mktemp("rollout_home")))
        for name in SECRETS:
            environment.delenv(name, raising=False)
        # Brokers and clusters of tests live for minutes: compiling all they run at its best costs more than it saves.
        environment.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL of this process's own, started for the first test that wants one."""
    with postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> str:
    """A store in PostgreSQL without any run, as its owner."""
    return postgres_server.empty_store()
