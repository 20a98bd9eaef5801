"""Where the local clusters listen and how much they may take, each by an environment variable of the same name."""

from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK = "127.0.0.1"


class ClusterSettings(BaseSettings):
    """Settings by their names, such as ROLLOUT_KAFKA_PORT. Ports are on the loopback address; memory is Java's."""

    model_config = SettingsConfigDict(env_prefix="ROLLOUT_")

    kafka_port: int = 9092
    kafka_controller_port: int = 9093
    kafka_memory: str = "512m"
    flink_rest_port: int = 8081
    flink_rpc_port: int = 6123
    flink_slots: int = 4
    flink_metrics_ports: str = "9249-9250"
    flink_job_manager_memory: str = "1024m"
    flink_task_manager_memory: str = "2048m"
    job_server_port: int = 8099
    job_server_artifact_port: int = 8098
    job_server_expansion_port: int = 8097
    job_server_memory: str = "512m"
    expansion_port: int = 8096

    @property
    def kafka(self) -> str:
        """The broker's address."""
        return f"{LOOPBACK}:{self.kafka_port}"

    @property
    def flink(self) -> str:
        """The address of Flink's pages and of its REST interface."""
        return f"{LOOPBACK}:{self.flink_rest_port}"

    @property
    def job_server(self) -> str:
        """The address that jobs are submitted to."""
        return f"{LOOPBACK}:{self.job_server_port}"

    @property
    def expansion(self) -> str:
        """The address of the service that knows Beam's Java transforms."""
        return f"{LOOPBACK}:{self.expansion_port}"
