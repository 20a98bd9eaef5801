"""Reads the local clusters' ports and memory limits, each from an environment variable of the same name."""

from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.processes import ClusterError

LOOPBACK = "127.0.0.1"
Port = Annotated[int, Field(ge=1, le=65535)]
Ports = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,5}-[0-9]{1,5}$")]
Memory = Annotated[str, StringConstraints(pattern=r"^[0-9]+[mg]$")]


class ClusterSettings(BaseSettings):
    """Settings by name, such as ROLLOUT_KAFKA_PORT. Ports are on the loopback address; memory is Java's, as 512m."""

    model_config = SettingsConfigDict(env_prefix="ROLLOUT_")

    kafka_port: Port = 9092
    kafka_controller_port: Port = 9093
    kafka_memory: Memory = "512m"
    flink_rest_port: Port = 8081
    flink_rpc_port: Port = 6123
    flink_slots: Annotated[int, Field(ge=1)] = 4
    flink_metrics_ports: Ports = "9249-9250"
    # Another address only if Prometheus is on another machine, as in a cluster of containers.
    flink_metrics_host: str = LOOPBACK
    flink_job_manager_memory: Memory = "1024m"
    flink_task_manager_memory: Memory = "4096m"
    job_server_port: Port = 8099
    job_server_artifact_port: Port = 8098
    job_server_expansion_port: Port = 8097
    job_server_memory: Memory = "512m"
    expansion_port: Port = 8096
    stream_metrics_port: Port = 9464
    stream_metrics_host: str = LOOPBACK

    @property
    def kafka(self) -> str:
        """The broker's address."""
        return f"{LOOPBACK}:{self.kafka_port}"

    @property
    def flink(self) -> str:
        """The address of Flink's pages and REST interface."""
        return f"{LOOPBACK}:{self.flink_rest_port}"

    @property
    def job_server(self) -> str:
        """The address that jobs are submitted to."""
        return f"{LOOPBACK}:{self.job_server_port}"

    @property
    def expansion(self) -> str:
        """The address of the expansion service, which provides Beam's Java transforms."""
        return f"{LOOPBACK}:{self.expansion_port}"


def cluster_settings() -> ClusterSettings:
    """Returns the settings from the environment. Raises ClusterError for an invalid one."""
    try:
        return ClusterSettings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"ROLLOUT_{first['loc'][0]}".upper()
        raise ClusterError(f"{name} cannot be {first['input']!r}: {first['msg'].lower()}.") from None
