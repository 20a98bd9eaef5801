"""The deployment in containers says what the local clusters do; nothing here starts a container."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from infra.flink.cluster import AGENT, BUILD, FLINKS_OWN
from pipelines.cli.app import app
from tests.infra.documents import INFRA, document, faults
from tests.infra.local import broker_properties, flink_configuration, flink_version, java_command, version_in
from tests.postgres import program

BEAMS_AGENT = "-javaagent:/opt/beam/built/loopback.jar"
ROLES = ("pipeline", "release", "dashboard")
COMPOSE = document("compose/compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (INFRA / "compose" / "Dockerfile").read_text(encoding="utf-8")
# What differs between a machine and containers, each for the reason that its name says.
OTHER_IN_CONTAINERS = {
    "jobmanager.rpc.address": "job-manager",
    "jobmanager.bind-host": "0.0.0.0",
    "taskmanager.bind-host": "0.0.0.0",
    "rest.address": "job-manager",
    "rest.bind-address": "0.0.0.0",
    # A container's own disk is faster than what all share.
    "io.tmp.dirs": "/tmp",
    "state.backend.rocksdb.log.dir": "/tmp",
}
# A TaskManager tells others the address at which it reached the JobManager.
NOT_IN_CONTAINERS = {"taskmanager.host"}


def verbs() -> list[list[str]]:
    """The commands of `rollout` that services run."""
    run = [service["command"] for service in SERVICES.values() if service.get("command", [""])[0] == "rollout"]
    dashboard = ["rollout", "dashboard", *SERVICES["dashboard"]["command"]]
    return [*run, dashboard, ["rollout", "stream", "start", *SERVICES["stream"]["command"][2:]]]


def test_the_yaml_files_are_written_as_agreed() -> None:
    command = [sys.executable, "-m", "yamllint", "--strict", "--config-file", str(INFRA / "yamllint.yaml"), str(INFRA)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_is_as_its_schema_says() -> None:
    assert faults("compose.json", COMPOSE) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image", "postgres:latest"),
        ("image", "postgres"),
        ("ports", ["5432:5432"]),
        ("environment", {"POSTGRES_PASSWORD": "open sesame"}),
        ("privileged", True),
    ],
)
def test_the_schema_refuses_what_must_not_be(field: str, value: object) -> None:
    wrong = {**COMPOSE, "services": {"postgres": {**SERVICES["postgres"], field: value}}}
    assert faults("compose.json", wrong)


def test_every_service_volume_config_and_secret_that_is_named_is_there() -> None:
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        assert {one["source"] for one in service.get("secrets", ())} <= set(COMPOSE["secrets"])
        assert {one["source"] for one in service.get("configs", ())} <= set(COMPOSE["configs"])
        named = {volume.partition(":")[0] for volume in service.get("volumes", ()) if not volume.startswith(".")}
        assert named <= set(COMPOSE["volumes"])
        mounted = [volume.partition(":")[0] for volume in service.get("volumes", ()) if volume.startswith(".")]
        assert [path for path in mounted if not (INFRA / "compose" / path).is_file()] == []
    assert all((INFRA / "compose" / config["file"]).is_file() for config in COMPOSE["configs"].values())


def test_whoever_waits_for_a_healthy_service_waits_for_one_that_tells_its_health() -> None:
    awaited = {
        name
        for service in SERVICES.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_healthy"
    }
    assert awaited
    assert [name for name in awaited if "healthcheck" not in SERVICES[name]] == []


def test_no_secret_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files", INFRA], cwd=INFRA, check=True, capture_output=True, text=True).stdout
    assert "compose/compose.yaml" in listed
    assert "secrets/" not in listed
    ignored = (INFRA / "compose" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "infra/compose/secrets" in ignored


def test_the_broker_has_the_version_and_the_properties_of_the_local_one() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version_in('kafka', 'kafka_2.13')}"
    environment = SERVICES["kafka"]["environment"]
    told = {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in environment.items()}
    local = broker_properties()
    addresses = {
        "listeners",
        "advertised.listeners",
        "listener.security.protocol.map",
        "controller.quorum.voters",
        "log.dirs",
    }
    assert set(told) - {"heap.opts"} == set(local)
    assert {name: told[name] for name in set(local) - addresses} == {
        name: local[name] for name in set(local) - addresses
    }
    assert "PLAINTEXT://kafka:9092" in told["advertised.listeners"]
    assert "HOST://127.0.0.1:9092" in told["advertised.listeners"]
    assert SERVICES["kafka"]["ports"] == ["127.0.0.1:9092:19092"]


def test_flink_has_the_configuration_of_the_local_one() -> None:
    told = {name: str(value) for name, value in document("compose/flink.yaml").items()}
    java = told.pop("env.java.opts.all").split()
    local = flink_configuration()
    assert told == {name: value for name, value in (local | OTHER_IN_CONTAINERS).items() if name in told}
    assert set(local) - set(told) == NOT_IN_CONTAINERS
    assert set(told) <= set(local)
    # Prometheus is in another container; Beam's services are on the loopback address, whatever is given.
    assert java.pop(0) == f"{BEAMS_AGENT}=0.0.0.0"
    assert all(re.fullmatch(r"--add-(exports|opens)=[\w./]+=ALL-UNNAMED", word) for word in java)
    assert "--add-opens=java.base/java.util=ALL-UNNAMED" in java


@pytest.mark.parametrize("name", ["job-server", "expansion-service"])
def test_beam_s_java_programs_are_started_as_the_local_ones(name: str, tmp_path: Path) -> None:
    assert SERVICES[name]["command"] == java_command(name, tmp_path)
    assert BEAMS_AGENT in SERVICES[name]["command"]


def test_what_stands_around_the_job_manager_shares_its_network() -> None:
    beside = {name for name, service in SERVICES.items() if "network_mode" in service}
    assert beside == {"job-manager", "job-server", "expansion-service", "stream"}
    assert SERVICES["control"]["networks"]["default"]["aliases"] == ["job-manager"]


def test_who_reads_the_stream_s_files_has_them_at_the_same_paths() -> None:
    for name in ("job-manager", "task-manager", "job-server", "stream"):
        assert "home:/var/lib/rollout" in SERVICES[name]["volumes"]
    for name in ("task-manager", "stream"):
        targets = [secret["target"] for secret in SERVICES[name]["secrets"]]
        assert SERVICES["stream"]["environment"]["ROLLOUT_PSEUDONYM_KEY_FILE"] in targets


def test_every_file_of_a_password_is_one_that_the_service_has() -> None:
    for service in SERVICES.values():
        given = {secret["target"] for secret in service.get("secrets", ())}
        wanted = {value for value in service.get("environment", {}).values() if value.startswith("/etc/rollout")}
        assert wanted <= given


@pytest.mark.parametrize("words", verbs(), ids=" ".join)
def test_every_command_of_rollout_is_one_that_there_is(words: list[str]) -> None:
    path = [word for word in words[1:3] if not word.startswith("-")]
    told = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert told.exit_code == 0
    assert [word for word in words if word.startswith("--") and word not in told.output] == []


def test_an_image_holds_flink_and_beam_as_the_local_clusters_do() -> None:
    own = re.search(r"case .* in \\\n\s+(.+)\) ;;", DOCKERFILE)
    assert own
    assert {name.strip() for name in own[1].split("|")} == {f"{name}*" for name in FLINKS_OWN}
    assert f"infra/flink/pom.xml infra/flink/{AGENT.name}" in DOCKERFILE
    assert " ".join((*BUILD, "dependency:copy-dependencies -DincludeScope=runtime")) in DOCKERFILE
    assert "-r infra/flink/requirements.txt" in DOCKERFILE
    assert version_in("flink", "beam-runners-flink-1.19")
    assert flink_version().startswith("1.19.")


def test_an_image_s_versions_are_pinned_and_its_user_is_not_root() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert all(re.fullmatch(r"(maven|python):3\.\d+\.\d+-[a-z0-9-]+", base) for base in bases)
    final = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    for stage in final:
        if re.search(r"AS (rollout|dashboard)\n", stage):
            assert re.search(r"^USER rollout$", stage, re.MULTILINE)


def test_an_image_holds_the_files_that_it_copies() -> None:
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    copied = [path for line in lines for path in line.split()]
    assert copied
    assert [path for path in copied if not (INFRA.parent / path).exists()] == []


@pytest.fixture
def names_that_log_in(postgres_url: str, tmp_path: Path) -> Iterator[psycopg.Connection[Any]]:
    """A server that has just run the script of names; the groups themselves it has already, from the migrations."""
    for number, role in enumerate(ROLES):
        (tmp_path / f"{role}-password").write_text(f"it's number {number}", encoding="utf-8")
    lines = (INFRA / "k8s" / "logins.sql").read_text(encoding="utf-8").splitlines()
    script = tmp_path / "logins.sql"
    text = "\n".join(line for line in lines if not line.endswith(" NOLOGIN;"))
    script.write_text(text.replace("/etc/rollout/secrets", str(tmp_path)), encoding="utf-8")
    command = [program("psql"), "--no-psqlrc", "--quiet", "--file", str(script), postgres_url]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        try:
            subprocess.run(command, check=True, capture_output=True)
            yield connection
        finally:
            for role in ROLES:
                connection.execute(f"DROP ROLE IF EXISTS rollout_{role}".encode())


def test_a_new_server_of_postgresql_lets_each_name_in_by_its_own_role_only(
    names_that_log_in: psycopg.Connection[Any],
) -> None:
    members = "SELECT member::regrole::text, roleid::regrole::text FROM pg_auth_members"
    rows = names_that_log_in.execute(f"{members} WHERE member::regrole::text LIKE 'rollout_%'".encode()).fetchall()
    assert set(rows) == {(f"rollout_{role}", role) for role in ROLES}


def test_a_new_server_of_postgresql_keeps_proofs_of_passwords_only(
    names_that_log_in: psycopg.Connection[Any],
) -> None:
    kept = names_that_log_in.execute("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'rollout_%'").fetchall()
    assert len(kept) == len(ROLES)
    assert all(proof.startswith("SCRAM-SHA-256$") for (proof,) in kept)


def test_a_new_server_makes_the_groups_that_migrations_give_rights_to() -> None:
    text = (INFRA / "k8s" / "logins.sql").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^CREATE ROLE (\w+) NOLOGIN;$", text, re.MULTILINE)) == ROLES
