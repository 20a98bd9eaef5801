"""Alerts and the dashboard look at figures that the code gives, at the places where it gives them."""

import json
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from infra.settings import ClusterSettings
from pipelines.cli.measuring import Measures
from schemas.codes import INTAKE_STATUSES
from tests.infra.documents import INFRA, document, faults
from tests.postgres import free_port

FOLDER = INFRA / "observability"
ALERTS: list[dict[str, Any]] = [
    rule for group in document("observability/alerts.yaml")["groups"] for rule in group["rules"]
]
PROMETHEUS = document("observability/prometheus.yaml")
DASHBOARD = json.loads((FOLDER / "stream-dashboard.json").read_text(encoding="utf-8"))
COMPOSE: dict[str, dict[str, Any]] = document("compose/compose.yaml")["services"]
STEPS = Path(__file__).parents[2] / "pipelines" / "stream"
COUNTERS = "flink_taskmanager_job_task_operator_stream_"
# Flink's own, as version 1.19 names them at its port for Prometheus.
OF_FLINK = {
    "flink_jobmanager_numRunningJobs",
    "flink_jobmanager_taskSlotsTotal",
    "flink_jobmanager_job_numberOfCompletedCheckpoints",
    "flink_jobmanager_Status_JVM_Memory_Heap_Used",
    "flink_taskmanager_Status_JVM_Memory_Heap_Used",
    "flink_taskmanager_job_task_busyTimeMsPerSecond",
    "flink_taskmanager_job_task_operator_currentOutputWatermark",
}
WANTED = {
    "StreamDown",
    "LagGrows",
    "NoCheckpoint",
    "ConservationFails",
    "RejectsJump",
    "NoWrite",
}


def expressions() -> list[str]:
    """What alerts and panels ask Prometheus."""
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [*(rule["expr"] for rule in ALERTS), *panels]


def names() -> set[str]:
    """All figures that are asked for."""
    return {name for text in expressions() for name in re.findall(r"\b(?:rollout|flink)_\w+", text)}


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """What the supervisor gives: each figure with its labels, as one reads them at its port."""
    port = free_port()
    measures = Measures(Path("home"), port)
    assert measures
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    labels = {"rollout_stream_lag_messages": {"topic"}, "rollout_stream_records": {"owner", "status"}}
    told = re.findall(r"^# TYPE (\S+) gauge$", text, re.MULTILINE)
    return {name: labels.get(name, {"owner"} if name.endswith("_difference") else set()) for name in told}


def counters() -> set[str]:
    """The counters of the stream's steps under the names that Flink gives them at its port for Prometheus."""
    found = re.findall(
        r'Metrics\.counter\("stream", "([^"]+)"\)',
        "".join(path.read_text(encoding="utf-8") for path in sorted(STEPS.glob("*.py"))),
    )
    return {COUNTERS + re.sub(r"\W", "_", name) for name in found}


def test_every_figure_that_is_asked_for_is_one_that_is_given(exported: dict[str, set[str]]) -> None:
    assert names() - set(exported) - counters() - OF_FLINK == set()


def test_every_figure_of_the_supervisor_is_looked_at(exported: dict[str, set[str]]) -> None:
    assert set(exported) - names() == set()


def test_every_counter_of_a_step_is_looked_at() -> None:
    assert counters() - names() == set()


def test_no_figure_of_flink_s_is_listed_that_nobody_asks_for() -> None:
    assert OF_FLINK - names() == set()


def test_labels_are_those_that_the_figures_have(exported: dict[str, set[str]]) -> None:
    for text in expressions():
        for name, labels in re.findall(r"\b(rollout_\w+)\{([^}]*)\}", text):
            assert set(re.findall(r"(\w+)=", labels)) <= exported[name]
        for status in re.findall(r'status="(\w+)"', text):
            assert status in INTAKE_STATUSES


def test_the_files_are_as_their_schemas_say() -> None:
    assert faults("alerts.json", document("observability/alerts.yaml")) == []
    assert faults("prometheus.json", PROMETHEUS) == []
    assert faults("dashboard.json", DASHBOARD) == []


def test_there_is_an_alert_for_whatever_makes_figures_wrong_or_old() -> None:
    assert {rule["alert"] for rule in ALERTS} >= WANTED
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS)


def test_every_alert_is_told_in_the_docs() -> None:
    text = (INFRA.parent / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in ALERTS if f"`{rule['alert']}`" not in text] == []


def test_figures_are_fetched_at_the_ports_of_the_local_clusters() -> None:
    settings = ClusterSettings()
    ports = {
        scrape["job_name"]: {one["port"] for one in scrape["dns_sd_configs"]} for scrape in PROMETHEUS["scrape_configs"]
    }
    assert ports == {"stream": {settings.stream_metrics_port}, "flink": {9249}}
    assert settings.flink_metrics_ports.startswith("9249-")


def test_the_names_that_are_scraped_are_there_in_both_deployments() -> None:
    scraped = {
        name for scrape in PROMETHEUS["scrape_configs"] for one in scrape["dns_sd_configs"] for name in one["names"]
    }
    aliases = COMPOSE["control"]["networks"]["default"]["aliases"]
    assert scraped <= {*COMPOSE, *aliases}
    text = (INFRA / "k8s" / "flink.yaml").read_text(encoding="utf-8")
    assert all(f"kind: Service\nmetadata:\n  name: {name}\n" in text for name in scraped)


def test_beam_s_bookkeeping_is_dropped_and_the_steps_counters_are_not() -> None:
    (rule,) = PROMETHEUS["scrape_configs"][1]["metric_relabel_configs"]
    assert rule["action"] == "drop"
    dropped = re.compile(rule["regex"])
    assert dropped.fullmatch(
        "flink_taskmanager_job_task_operator_fn_read_ref_PCollection_1:0_metric:data_channel:read_index:v1"
    )
    assert not any(dropped.fullmatch(name) for name in names())


def test_panels_lie_beside_each_other_and_none_over_another() -> None:
    cells: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in DASHBOARD["panels"]):
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in mine) < 24
        assert not mine & cells
        cells |= mine


def test_grafana_finds_prometheus_and_the_dashboard_where_they_are() -> None:
    (source,) = document("observability/grafana-datasources.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    (provider,) = document("observability/grafana-dashboards.yaml")["providers"]
    mounted = [volume.split(":")[1] for volume in COMPOSE["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/stream-dashboard.json" in mounted


def test_kubernetes_gets_the_files_that_compose_mounts() -> None:
    generated = {
        name.rpartition("=")[2]
        for one in document("observability/kustomization.yaml")["configMapGenerator"]
        for name in one["files"]
    }
    mounted = {
        Path(volume.split(":")[0]).name
        for service in ("prometheus", "grafana")
        for volume in COMPOSE[service]["volumes"]
        if volume.startswith(".")
    }
    assert generated == mounted


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["check", "config"], FOLDER / "prometheus.yaml"),
        (["check", "rules"], FOLDER / "alerts.yaml"),
        (["test", "rules"], Path(__file__).parent / "alerts_test.yaml"),
    ],
)
def test_prometheus_s_own_tool_finds_no_fault(words: list[str], path: Path) -> None:
    done = subprocess.run(["promtool", *words, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried_with_figures_that_raise_it_and_with_figures_that_do_not() -> None:
    told = (Path(__file__).parent / "alerts_test.yaml").read_text(encoding="utf-8")
    tried = re.findall(r"alertname: (\w+)", told)
    assert set(tried) == {rule["alert"] for rule in ALERTS}
    raised = re.findall(r"alertname: (\w+)\n\s+exp_alerts:", told)
    assert set(raised) == set(tried)
