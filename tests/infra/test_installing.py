"""What clusters are made of comes whole or not at all, once, and what is missing is told in one sentence."""

from pathlib import Path

import pytest

from infra.installing import installed, jars, packages, require_java
from infra.processes import ClusterError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "pom.xml"
    path.write_text("first", encoding="utf-8")
    return path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds every program there is."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def write_program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def with_a_jar(folder: Path, _log: Path) -> None:
    (folder / "one.jar").write_text("jar", encoding="utf-8")


def never(_folder: Path, _log: Path) -> None:
    raise AssertionError("made again")


def breaks_off(folder: Path, log: Path) -> None:
    with_a_jar(folder, log)
    raise ClusterError("It broke off.")


def test_a_folder_is_made_once(tmp_path: Path, source: Path) -> None:
    installed(tmp_path / "lib", [source], with_a_jar)
    installed(tmp_path / "lib", [source], never)
    assert (tmp_path / "lib" / "one.jar").exists()


def test_a_folder_is_made_again_when_any_of_its_sources_changes(tmp_path: Path, source: Path) -> None:
    other = tmp_path / "requirements.txt"
    other.write_text("second", encoding="utf-8")
    installed(tmp_path / "lib", [source, other], with_a_jar)
    (tmp_path / "lib" / "old.jar").touch()
    other.write_text("third", encoding="utf-8")
    installed(tmp_path / "lib", [source, other], with_a_jar)
    assert not (tmp_path / "lib" / "old.jar").exists()


def test_what_broke_off_does_not_look_complete(tmp_path: Path, source: Path) -> None:
    with pytest.raises(ClusterError, match="broke off"):
        installed(tmp_path / "lib", [source], breaks_off)
    assert not (tmp_path / "lib").exists()
    installed(tmp_path / "lib", [source], with_a_jar)
    assert (tmp_path / "lib" / "one.jar").exists()


def test_what_was_there_stays_when_its_successor_breaks_off(tmp_path: Path, source: Path) -> None:
    installed(tmp_path / "lib", [source], with_a_jar)
    source.write_text("second", encoding="utf-8")
    with pytest.raises(ClusterError):
        installed(tmp_path / "lib", [source], breaks_off)
    assert (tmp_path / "lib" / "one.jar").exists()


@pytest.mark.parametrize("version", ["17.0.15", "21", "25.0.1"])
def test_java_17_and_newer_will_do(programs: Path, version: str) -> None:
    write_program(programs, "java", f"""echo 'openjdk version "{version}" 2025-04-15' >&2""")
    require_java()


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_392"])
def test_an_older_java_is_told_by_its_version(programs: Path, version: str) -> None:
    write_program(programs, "java", f"""echo 'openjdk version "{version}" 2025-04-15' >&2""")
    with pytest.raises(ClusterError, match=rf'^Java 17 or newer is needed, but `java` is openjdk version "{version}"'):
        require_java()


@pytest.mark.usefixtures("programs")
def test_a_missing_java_is_told() -> None:
    with pytest.raises(
        ClusterError, match=r"^Java 17 or newer is needed and `java` was not found; install it first\.$"
    ):
        require_java()


@pytest.mark.usefixtures("programs")
def test_a_missing_maven_is_told(tmp_path: Path, source: Path) -> None:
    with pytest.raises(ClusterError, match=r"^Maven is needed to install this, and `mvn` was not found"):
        installed(tmp_path / "lib", [source], jars(source))


def test_a_java_that_cannot_compile_is_told_where_something_is_built(
    tmp_path: Path, source: Path, programs: Path
) -> None:
    write_program(programs, "mvn", "exit 0")
    installed(tmp_path / "lib", [source], jars(source))
    with pytest.raises(ClusterError, match=r"^A Java development kit is needed, and its `javac` was not found"):
        installed(tmp_path / "built", [source], jars(source, "compiler:compile"))


def test_a_failing_maven_is_told_with_its_log(tmp_path: Path, source: Path, programs: Path) -> None:
    write_program(programs, "mvn", "echo 'no such artefact'; exit 1")
    log = tmp_path / "install-lib.log"
    with pytest.raises(ClusterError, match=rf"^Installing failed at `mvn`; what it said is in {log}\.$"):
        installed(tmp_path / "lib", [source], jars(source))
    assert log.read_text(encoding="utf-8") == "no such artefact\n"


def test_a_full_disk_is_told(tmp_path: Path, source: Path, programs: Path) -> None:
    write_program(programs, "mvn", "echo 'java.io.IOException: No space left on device' >&2; exit 1")
    with pytest.raises(ClusterError, match=r"^The disk is full; free some space, or set ROLLOUT_HOME"):
        installed(tmp_path / "lib", [source], jars(source))


def test_a_package_without_a_hash_is_not_installed(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("apache-flink==1.19.3\n", encoding="utf-8")
    with pytest.raises(ClusterError, match=r"^Installing failed at "):
        installed(tmp_path / "dist", [requirements], packages(requirements))
    assert not (tmp_path / "dist").exists()
    assert "hash" in (tmp_path / "install-dist.log").read_text(encoding="utf-8")
