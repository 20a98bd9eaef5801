"""The deployment on Kubernetes says what the local clusters do; nothing here speaks to a cluster."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.kafka.access import Right, rights_of_pipeline, rights_of_source
from pipelines.log.connection import LogEnvironment
from pipelines.log.topics import CONFIGURATION, partitions_wanted
from tests.infra.documents import INFRA, document, documents, faults
from tests.infra.local import HOME, broker_properties, flink_configuration, flink_version, java_command, version_in

FOLDER = INFRA / "k8s"
KUSTOMIZATION = document("k8s/kustomization.yaml")
FILES = sorted(
    path.name for path in FOLDER.glob("*.yaml") if path.name not in ("kustomization.yaml", "image-fields.yaml")
)
RESOURCES: list[dict[str, Any]] = [found for name in FILES for found in documents(FOLDER / name)]
COMPOSE: dict[str, dict[str, Any]] = document("compose/compose.yaml")["services"]
# What the operator sets itself, from the fields of the resource or because a pod has addresses of its own.
OPERATORS = {
    "jobmanager.rpc.address",
    "jobmanager.rpc.port",
    "jobmanager.bind-host",
    "jobmanager.memory.process.size",
    "taskmanager.host",
    "taskmanager.bind-host",
    "taskmanager.memory.process.size",
    "rest.address",
    "rest.bind-address",
    "rest.bind-port",
}
KUBERNETES_OWN = {"kubernetes.entry.path", "kubernetes.taskmanager.memory.limit-factor"}
# A pod's own disk is faster than what all share.
OWN_DISK = {"io.tmp.dirs": "/tmp", "state.backend.rocksdb.log.dir": "/tmp"}
# Three nodes keep three copies; one node keeps one.
COPIES = {
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "default.replication.factor",
    "min.insync.replicas",
}


def the(kind: str, name: str) -> dict[str, Any]:
    """The one resource of a kind and a name."""
    (found,) = [one for one in RESOURCES if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


FLINK = the("FlinkDeployment", "stream")["spec"]
SIDECARS = {one["name"]: one for one in FLINK["jobManager"]["podTemplate"]["spec"]["containers"]}


def pods() -> list[dict[str, Any]]:
    """The specifications of all pods, Flink's with all its containers."""
    plain = [one["spec"]["template"]["spec"] for one in RESOURCES if "template" in one.get("spec", {})]
    template = FLINK["podTemplate"]["spec"]
    return [*plain, {**template, "containers": [*template["containers"], *SIDECARS.values()]}]


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container.get("env", ())}


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_every_resource_is_as_the_schema_says(resource: dict[str, Any]) -> None:
    assert faults("k8s.json", resource) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image", "postgres:latest"),
        ("env", [{"name": "POSTGRES_PASSWORD", "value": "open sesame"}]),
        ("securityContext", {"privileged": True}),
        ("resources", {}),
    ],
)
def test_the_schema_refuses_what_must_not_be(field: str, value: object) -> None:
    good = the("StatefulSet", "postgres")
    pod = good["spec"]["template"]
    container = {**pod["spec"]["containers"][0], field: value}
    wrong_pod = {**pod, "spec": {**pod["spec"], "containers": [container]}}
    assert faults("k8s.json", {**good, "spec": {**good["spec"], "template": wrong_pod}})


def test_the_schema_refuses_a_secret() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "rollout"}, "stringData": {"password": "x"}}
    assert faults("k8s.json", secret)


def test_the_kustomization_names_every_file_once() -> None:
    assert sorted(KUSTOMIZATION["resources"]) == sorted([*FILES, "../observability"])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_builds_it_and_an_overlay_s_registry_reaches_every_image(tmp_path: Path) -> None:
    shutil.copytree(INFRA, tmp_path / "infra", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    overlay = {
        "resources": ["../infra/k8s"],
        "images": [{"name": "smart-meter-rollout", "newName": "images.example/rollout"}],
        "configurations": ["../infra/k8s/image-fields.yaml"],
    }
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    # It builds text and asks no cluster, and so it needs nobody's credentials.
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": os.devnull}
    command = ["kubectl", "kustomize", "--load-restrictor=LoadRestrictionsNone", str(tmp_path / "overlay")]
    built = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    found = [one for one in yaml.safe_load_all(built) if one["kind"] != "ConfigMap"]
    assert len(found) == len(RESOURCES)
    assert built.count("image: images.example/rollout:0.1.0") == 1 + len(SIDECARS)
    assert "image: smart-meter-rollout:" not in built


def test_every_volume_that_is_mounted_is_there() -> None:
    for pod in pods():
        claims = {"ledger", "metrics"}
        there = {volume["name"] for volume in pod.get("volumes", ())} | claims | {"flink-config-volume"}
        mounted = {mount["name"] for container in pod["containers"] for mount in container.get("volumeMounts", ())}
        assert mounted <= there


def test_every_file_of_a_secret_that_a_container_is_told_of_is_mounted_there() -> None:
    told = 0
    for pod in pods():
        files = {volume["name"]: volume["secret"]["items"] for volume in pod.get("volumes", ()) if "secret" in volume}
        for container in pod["containers"]:
            mounts = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", ())}
            there = {
                f"{mounts[name]}/{item['path']}" for name, items in files.items() if name in mounts for item in items
            }
            wanted = {value for value in variables(container).values() if value.startswith("/etc/rollout")}
            assert wanted <= there
            told += len(wanted)
    assert told == 8


def test_secrets_that_people_make_are_those_of_the_compose_file() -> None:
    items = [
        item["key"]
        for pod in pods()
        for volume in pod.get("volumes", ())
        if volume.get("secret", {}).get("secretName") == "rollout"
        for item in volume["secret"]["items"]
    ]
    assert set(items) == set(document("compose/compose.yaml")["secrets"])


def test_flink_has_the_version_of_the_local_one() -> None:
    assert FLINK["flinkVersion"] == "v" + "_".join(flink_version().split(".")[:2])


def test_flink_has_the_configuration_of_the_local_one() -> None:
    told = dict(FLINK["flinkConfiguration"])
    local = flink_configuration() | OWN_DISK
    assert told.pop("env.java.opts.all") == document("compose/flink.yaml")["env.java.opts.all"]
    assert {name: value for name, value in told.items() if name not in KUBERNETES_OWN} == {
        name: value for name, value in local.items() if name not in OPERATORS
    }
    assert FLINK["jobManager"]["resource"]["memory"] == local["jobmanager.memory.process.size"]
    assert FLINK["taskManager"]["resource"]["memory"] == local["taskmanager.memory.process.size"]


@pytest.mark.parametrize("name", ["job-server", "expansion-service"])
def test_beam_s_java_programs_are_started_as_the_local_ones(name: str, tmp_path: Path) -> None:
    assert SIDECARS[name]["command"] == java_command(name, tmp_path)


def test_the_main_container_comes_first_whichever_way_the_operator_joins_the_templates() -> None:
    assert next(iter(SIDECARS)) == FLINK["podTemplate"]["spec"]["containers"][0]["name"] == "flink-main-container"


def test_the_stream_is_started_as_in_compose_but_for_the_log_s_address() -> None:
    ours, theirs = SIDECARS["stream"]["command"], COMPOSE["stream"]["command"]
    assert [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b] == [("log-kafka-bootstrap:9092", "kafka:9092")]


def test_who_reads_the_stream_s_files_has_them_at_the_same_paths() -> None:
    main = FLINK["podTemplate"]["spec"]["containers"][0]
    mounts = {mount["name"]: mount["mountPath"] for mount in main["volumeMounts"]}
    assert mounts["home"] == HOME
    of_stream = {mount["name"]: mount["mountPath"] for mount in SIDECARS["stream"]["volumeMounts"]}
    assert set(mounts.items()) <= set(of_stream.items())
    assert the("PersistentVolumeClaim", "home")["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_log_is_the_local_one_in_three_copies() -> None:
    spec = the("Kafka", "log")["spec"]["kafka"]
    assert spec["version"] == version_in("kafka", "kafka_2.13")
    assert spec["metadataVersion"].startswith(".".join(spec["version"].split(".")[:2]) + "-")
    told = {name: str(value) for name, value in spec["config"].items()}
    local = broker_properties()
    assert {name: value for name, value in told.items() if name not in COPIES} == {
        name: local[name] for name in set(told) - COPIES
    }
    assert next(one["port"] for one in spec["listeners"] if one["type"] == "internal") == 9092


def test_topics_are_made_as_the_stream_would_make_them() -> None:
    topics = {one["spec"]["topicName"]: one for one in RESOURCES if one["kind"] == "KafkaTopic"}
    assert set(topics) == {"dcc", "rejected.SDCC", "supplier.BGAS", "rejected.BGAS"}
    for name, topic in topics.items():
        assert {key: str(value) for key, value in topic["spec"]["config"].items()} == CONFIGURATION
        assert topic["spec"]["partitions"] == partitions_wanted(name)
        assert topic["metadata"]["name"] == name.lower()


def rights_of(user: dict[str, Any], principal: str) -> set[Right]:
    """What a KafkaUser may do, in the words of the local broker."""
    operations = {"Read": "READ", "Write": "WRITE", "Create": "CREATE", "DescribeConfigs": "DESCRIBE_CONFIGS"}
    return {
        Right(
            principal,
            rule["resource"]["type"].upper(),
            rule["resource"]["name"],
            operations[operation],
            rule["resource"]["patternType"] == "prefix",
        )
        for rule in user["spec"]["authorization"]["acls"]
        for operation in rule["operations"]
    }


def test_principals_have_the_rights_that_they_have_on_the_local_broker() -> None:
    assert rights_of(the("KafkaUser", "pipeline"), "pipeline") == set(rights_of_pipeline())
    assert rights_of(the("KafkaUser", "bgas"), "BGAS") == set(rights_of_source("BGAS"))
    assert rights_of(the("KafkaUser", "sdcc"), "SDCC") == set(rights_of_source("SDCC"))
    assert "authorization" not in the("KafkaUser", "admin")["spec"]


def test_the_stream_logs_in_at_the_log_by_settings_that_there_are() -> None:
    told = variables(SIDECARS["stream"])
    prefix = str(LogEnvironment.model_config.get("env_prefix"))
    names = {name for name in told if name.startswith(prefix)}
    assert names <= {prefix + field.upper() for field in LogEnvironment.model_fields}
    assert told["ROLLOUT_KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
    of_listener = the("Kafka", "log")["spec"]["kafka"]["listeners"][0]["authentication"]["type"]
    assert told["ROLLOUT_KAFKA_SASL_MECHANISM"].lower() == of_listener
    assert told["ROLLOUT_KAFKA_USERNAME"] == the("KafkaUser", "pipeline")["metadata"]["name"]


@pytest.mark.parametrize(
    ("kind", "name"), [("StatefulSet", "postgres"), ("StatefulSet", "prometheus"), ("Deployment", "grafana")]
)
def test_other_programs_have_the_images_of_the_compose_file(kind: str, name: str) -> None:
    (container,) = the(kind, name)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == COMPOSE[name]["image"]
    shared = set(variables(container)) & set(COMPOSE[name].get("environment", {}))
    assert {key: variables(container)[key] for key in shared} == {
        key: COMPOSE[name]["environment"][key] for key in shared
    }


@pytest.mark.parametrize(
    ("kind", "name", "words"), [("Job", "migrate", "command"), ("Deployment", "dashboard", "args")]
)
def test_our_programs_are_started_as_in_compose(kind: str, name: str, words: str) -> None:
    (container,) = the(kind, name)["spec"]["template"]["spec"]["containers"]
    assert container[words] == COMPOSE[name]["command"]
    assert container["image"] == COMPOSE[name]["image"]
    assert variables(container) == COMPOSE[name]["environment"]


def test_every_service_leads_to_pods_that_listen_there() -> None:
    for service in (one for one in RESOURCES if one["kind"] == "Service"):
        selected = service["spec"]["selector"]
        if selected["app"] == "stream":
            assert selected["component"] in ("jobmanager", "taskmanager")
            continue
        owner = next(
            one for one in RESOURCES if one["kind"] != "Service" and one["metadata"]["name"] == selected["app"]
        )
        pod = owner["spec"]["template"]
        assert selected.items() <= pod["metadata"]["labels"].items()
        ports = {one["name"]: one["containerPort"] for one in pod["spec"]["containers"][0]["ports"]}
        for port in service["spec"]["ports"]:
            assert port.get("targetPort", port["name"]) in ports or port["port"] in ports.values()


def test_only_the_dashboard_can_be_reached_from_everywhere() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in RESOURCES if one["kind"] == "NetworkPolicy"}
    open_to_all = [name for name, spec in policies.items() if any("from" not in rule for rule in spec["ingress"])]
    assert open_to_all == ["dashboard"]
    assert policies["from-inside-only"]["podSelector"] == {}
