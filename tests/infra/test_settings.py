"""Ports and memory of the clusters come from the environment, and what cannot be is told by its name."""

import pytest

from infra.processes import ClusterError
from infra.settings import cluster_settings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_PORT", "KAFKA_MEMORY", "FLINK_REST_PORT", "FLINK_SLOTS", "FLINK_METRICS_PORTS"):
        monkeypatch.delenv(f"ROLLOUT_{name}", raising=False)


def test_everything_listens_on_the_loopback_address_at_the_usual_ports() -> None:
    settings = cluster_settings()
    assert (settings.kafka, settings.flink) == ("127.0.0.1:9092", "127.0.0.1:8081")
    assert (settings.job_server, settings.expansion) == ("127.0.0.1:8099", "127.0.0.1:8096")


def test_a_port_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLOUT_KAFKA_PORT", "19192")
    assert cluster_settings().kafka == "127.0.0.1:19192"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_PORT", "nine"),
        ("KAFKA_PORT", "0"),
        ("FLINK_REST_PORT", "65536"),
        ("KAFKA_MEMORY", "much"),
        ("FLINK_SLOTS", "0"),
        ("FLINK_METRICS_PORTS", "9249"),
    ],
)
def test_what_cannot_be_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"ROLLOUT_{name}", value)
    with pytest.raises(ClusterError, match=rf"^ROLLOUT_{name} cannot be '{value}': [^\n]+\.$"):
        cluster_settings()
