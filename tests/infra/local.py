"""What the local clusters are started with, in the form in which deployments are held against it.

Paths are those of an image: Beam's jars in /opt/beam, Flink's configuration in /opt/flink/conf, all else in one home.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from infra.flink import cluster as flink
from infra.kafka import cluster as kafka
from infra.settings import ClusterSettings

HOME = "/var/lib/rollout"
SETTINGS = ClusterSettings()


def flink_configuration() -> dict[str, str]:
    """The configuration that `rollout flink up` writes, but for the options of Java, which come with Flink itself."""
    told: dict[str, Any] = yaml.safe_load(flink.configuration(flink.Folders(Path(HOME)), SETTINGS, ""))
    return {key: str(value) for key, value in told.items() if key != "env.java.opts.all"}


def broker_properties() -> dict[str, str]:
    """The properties that `rollout kafka up` writes."""
    text = kafka.properties(Path(HOME), SETTINGS, kafka.Extra())
    return dict(line.split("=", 1) for line in text.splitlines())


def java_command(name: str, home: Path) -> list[str]:
    """The command of the job server or of the expansion service, with an image's paths. Makes a jar under a home."""
    folders = flink.Folders(home)
    folders.beam.mkdir(parents=True, exist_ok=True)
    (folders.beam / f"jamm-{version_in('flink', 'jamm')}.jar").touch()
    (program,) = [program for program in flink._programs(folders, SETTINGS) if program.name == name]
    paths = {str(folders.beam): "/opt/beam", str(folders.conf): "/opt/flink/conf", str(home): HOME}
    return [_replaced(word, paths) for word in program.command]


def _replaced(word: str, paths: dict[str, str]) -> str:
    for ours, theirs in paths.items():
        word = word.replace(ours, theirs)
    return word


def version_in(folder: str, artefact: str) -> str:
    """The version that a pom under infra/ names for an artefact, itself or by a property."""
    text = (Path(kafka.__file__).parents[1] / folder / "pom.xml").read_text(encoding="utf-8")
    (found,) = re.findall(rf"<artifactId>{re.escape(artefact)}</artifactId>\s*<version>([^<]+)</version>", text)
    named = re.fullmatch(r"\$\{(.+)\}", found)
    return re.findall(rf"<{re.escape(named[1])}>([^<]+)<", text)[0] if named else found


def flink_version() -> str:
    """The version of Flink that is installed from its Python packages."""
    (found,) = re.findall(r"^apache-flink==(\S+)", flink.REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    return found
