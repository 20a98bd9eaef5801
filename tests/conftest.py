"""What holds for every test: a home of its own, no key from outside, and Hypothesis without a stopwatch."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("rollout", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("rollout")


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keys and runs of the tests go to a temporary folder, whatever the environment says."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ROLLOUT_HOME", str(tmp_path_factory.mktemp("rollout_home")))
        for name in ("ROLLOUT_PSEUDONYM_KEY", "ROLLOUT_PSEUDONYM_KEY_FILE"):
            environment.delenv(name, raising=False)
        yield
