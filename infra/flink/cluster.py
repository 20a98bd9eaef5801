"""A local Flink cluster for Beam: JobManager, TaskManager, Beam's job server, and its expansion service."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.flink.boot import LOG_FOLDER
from infra.installing import Say, installed, jars, packages, require_java
from infra.processes import Place, Program, State, alone, is_listening, running, start, state_of, stop, wait_until
from infra.settings import LOOPBACK, ClusterSettings

HERE: Final = Path(__file__).parent
POM: Final = HERE / "pom.xml"
AGENT: Final = HERE / "Loopback.java"
BUILD: Final = ("compiler:compile", "jar:jar")
REQUIREMENTS: Final = HERE / "requirements.txt"
READY_SECONDS: Final = 180.0
JOB_MANAGER, TASK_MANAGER, JOB_SERVER, EXPANSION = "job-manager", "task-manager", "job-server", "expansion-service"
# In the order in which they start; they stop in the reverse order.
NAMES: Final = (JOB_MANAGER, TASK_MANAGER, JOB_SERVER, EXPANSION)
# Flink has its own copies of these; Beam's would be loaded first.
FLINKS_OWN: Final = ("flink-", "log4j-", "slf4j-", "snakeyaml-engine")
TASK_OFF_HEAP: Final = "512m"


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the cluster keeps its files."""

    home: Path

    @property
    def place(self) -> Place:
        """The folders of process ids and logs."""
        return Place(self.home / "flink" / "run", self.home / "flink" / "log")

    @property
    def flink(self) -> Path:
        """The folder of Flink itself."""
        return self.home / "flink" / "dist" / "pyflink"

    @property
    def beam(self) -> Path:
        """The folder of Beam's Java artefacts."""
        return self.home / "flink" / "beam"

    @property
    def agent(self) -> Path:
        """The Java agent that makes the servers of Java programs listen on one address."""
        return self.beam / "built" / "loopback.jar"

    @property
    def conf(self) -> Path:
        """The folder of Flink's configuration."""
        return self.home / "flink" / "conf"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints, with one folder for each job."""
        return self.home / "flink" / "checkpoints"

    @property
    def savepoints(self) -> Path:
        """The folder of savepoints, unless another is named."""
        return self.home / "flink" / "savepoints"


def configuration(folders: Folders, settings: ClusterSettings, java_options: str) -> str:
    """Returns the text of Flink's config.yaml."""
    agent = os.path.relpath(folders.agent, folders.place.log)
    lines = {
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.rpc.port": settings.flink_rpc_port,
        "jobmanager.bind-host": LOOPBACK,
        "jobmanager.memory.process.size": settings.flink_job_manager_memory,
        "taskmanager.host": LOOPBACK,
        "taskmanager.bind-host": LOOPBACK,
        "taskmanager.numberOfTaskSlots": settings.flink_slots,
        "taskmanager.memory.process.size": settings.flink_task_manager_memory,
        # Data to and from Python workers is outside the heap; at the default limit their calls would fail.
        "taskmanager.memory.task.off-heap.size": TASK_OFF_HEAP,
        "rest.address": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "rest.port": settings.flink_rest_port,
        "rest.bind-port": settings.flink_rest_port,
        "io.tmp.dirs": folders.home / "flink" / "tmp",
        # Only the file system holds checkpoints over a few megabytes; execution.checkpointing.dir has no effect.
        "state.backend.type": "rocksdb",
        "state.backend.incremental": "true",
        "state.checkpoint-storage": "filesystem",
        "state.checkpoints.dir": f"file://{folders.checkpoints}",
        "state.savepoints.dir": f"file://{folders.savepoints}",
        "state.checkpoints.num-retained": 3,
        "state.backend.rocksdb.log.dir": folders.home / "flink" / "tmp",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.tolerable-failed-checkpoints": 100,
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "500 ms",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
        "heartbeat.interval": 2000,
        "heartbeat.timeout": 10000,
        "classloader.resolve-order": "parent-first",
        "metrics.reporters": "prom",
        "metrics.reporter.prom.factory.class": "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
        "metrics.reporter.prom.port": settings.flink_metrics_ports,
        # Neither the metrics nor the services of Beam's workers have a setting for their listening address.
        # Flink splits options at spaces, so the agent's path is relative to the folder in which its programs run.
        "env.java.opts.all": f"-javaagent:{agent}={settings.flink_metrics_host} {java_options}",
    }
    return "".join(f"{key}: {json.dumps(str(value))}\n" for key, value in lines.items())


def up(home: Path, settings: ClusterSettings, say: Say) -> str:
    """Starts those of the four programs that are not running; returns the address of Flink's pages once all are ready.

    Raises ClusterError.
    """
    folders = Folders(home.absolute())
    with alone(folders.home / "flink"):
        if any(running(folders.place, name) is None for name in NAMES):
            require_java()
            say("Installing Flink and Beam's Java side, where they are not yet")
            installed(folders.beam, [POM, AGENT], jars(POM, *BUILD))
            installed(folders.home / "flink" / "dist", [REQUIREMENTS, POM], _flink(folders.beam))
            _configure(folders, settings)
        for program in _programs(folders, settings):
            if running(folders.place, program.name) is None:
                say(f"Starting the {program.name}")
                start(folders.place, program)
    for name, ready in _readiness(settings).items():
        wait_until(ready, folders.place, name, READY_SECONDS)
    return settings.flink


def _flink(beam: Path) -> Callable[[Path, Path], None]:
    """Returns a function that fills a folder with Flink, with Beam in its library, so that no job loads Beam again."""

    def make(folder: Path, log: Path) -> None:
        packages(REQUIREMENTS)(folder, log)
        for jar in beam.glob("*.jar"):
            if not jar.name.startswith(FLINKS_OWN):
                os.link(jar, folder / "pyflink" / "lib" / jar.name)

    return make


def _configure(folders: Folders, settings: ClusterSettings) -> None:
    for folder in (folders.conf, folders.checkpoints, folders.savepoints, folders.home / "flink" / "tmp"):
        folder.mkdir(parents=True, exist_ok=True)
    shipped = (folders.flink / "conf" / "config.yaml").read_text(encoding="utf-8").splitlines()
    # Java 17 needs the options by which Flink's own configuration opens modules.
    java_options = next(line.partition("all:")[2].strip() for line in shipped if line.strip().startswith("all: --add"))
    (folders.conf / "config.yaml").write_text(configuration(folders, settings, java_options), encoding="utf-8")
    for name in ("log4j-console.properties", "log4j.properties", "log4j-cli.properties"):
        (folders.conf / name).write_bytes((folders.flink / "conf" / name).read_bytes())


def _programs(folders: Folders, settings: ClusterSettings) -> list[Program]:
    environment = {
        "FLINK_CONF_DIR": str(folders.conf),
        "FLINK_LOG_DIR": str(folders.place.log),
        "FLINK_PID_DIR": str(folders.place.run),
        LOG_FOLDER: str(folders.place.log),
    }
    bin_folder = folders.flink / "bin"
    job_manager = ["bash", str(bin_folder / "jobmanager.sh"), "start-foreground"]
    task_manager = ["bash", str(bin_folder / "taskmanager.sh"), "start-foreground"]
    beam = ["java", f"-javaagent:{folders.agent}", f"-Xmx{settings.job_server_memory}", "-cp", f"{folders.beam}/*"]
    server = [
        "org.apache.beam.runners.flink.FlinkJobServerDriver",
        f"--flink-master={settings.flink}",
        f"--flink-conf-dir={folders.conf}",
        f"--job-host={LOOPBACK}",
        f"--job-port={settings.job_server_port}",
        f"--artifact-port={settings.job_server_artifact_port}",
        f"--expansion-port={settings.job_server_expansion_port}",
        f"--artifacts-dir={folders.home / 'flink' / 'tmp' / 'artifacts'}",
    ]
    expansion = [
        "org.apache.beam.sdk.expansion.service.ExpansionService",
        str(settings.expansion_port),
        "--javaClassLookupAllowlistFile=*",
        "--defaultEnvironmentType=EMBEDDED",
        "--experiments=use_deprecated_read",
        # Otherwise every job would carry all of Beam, which Flink has already. The list of files cannot be empty.
        f"--filesToStage={next(folders.beam.glob('jamm-*.jar'))}",
    ]
    job_ports = (settings.job_server_port, settings.job_server_artifact_port, settings.job_server_expansion_port)
    return [
        Program(JOB_MANAGER, job_manager, (settings.flink_rest_port, settings.flink_rpc_port), environment),
        Program(TASK_MANAGER, task_manager, (), environment),
        Program(JOB_SERVER, [*beam, *server], job_ports, environment),
        Program(EXPANSION, [*beam, *expansion], (settings.expansion_port,), environment),
    ]


def _readiness(settings: ClusterSettings) -> dict[str, Callable[[], bool]]:
    return {
        JOB_MANAGER: lambda: overview(settings) is not None,
        TASK_MANAGER: lambda: slots(settings) >= settings.flink_slots,
        JOB_SERVER: lambda: is_listening(settings.job_server_port),
        EXPANSION: lambda: is_listening(settings.expansion_port),
    }


def overview(settings: ClusterSettings) -> dict[str, Any] | None:
    """Returns Flink's overview of itself, or None if it does not answer."""
    return _asked(settings, "/overview")


def slots(settings: ClusterSettings) -> int:
    """Returns the slots of the TaskManagers that listen: Flink counts a killed one for another ten seconds."""
    told = _asked(settings, "/taskmanagers") or {}
    living = (manager for manager in told.get("taskmanagers", ()) if is_listening(_port_of(manager["path"])))
    return sum(manager["slotsNumber"] for manager in living)


def _port_of(path: str) -> int:
    """Returns the port of a TaskManager's address, such as pekko.tcp://flink@127.0.0.1:46427/user/rpc/taskmanager_0."""
    return urllib.parse.urlsplit(path).port or 0


def _asked(settings: ClusterSettings, path: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(f"http://{settings.flink}{path}", timeout=5) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
    except (urllib.error.URLError, OSError, ValueError):
        return None


def down(home: Path) -> bool:
    """Stops the four programs and all workers; returns whether any was running."""
    place = Folders(home.absolute()).place
    ran = [stop(place, name) for name in reversed(NAMES)]
    return any(ran)


def status(home: Path, settings: ClusterSettings) -> list[State]:
    """Returns the state of the four programs."""
    addresses = {
        JOB_MANAGER: settings.flink,
        TASK_MANAGER: settings.flink_metrics_ports,
        JOB_SERVER: settings.job_server,
        EXPANSION: settings.expansion,
    }
    return [state_of(Folders(home.absolute()).place, name, addresses[name]) for name in NAMES]
