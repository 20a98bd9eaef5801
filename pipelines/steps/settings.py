"""The settings of a bounded run's steps."""

from dataclasses import dataclass

from pipelines.log.connection import KafkaSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of every step of a bounded run; picklable, and without the secret key itself.

    `work` is the run's own folder, `home` the folder of a key that the environment does not set, `key_id` the id of the
    key that workers must find, `log` how to reach the Kafka log if it is read, `snapshot` whether each shard's history
    is kept in `work`.
    """

    work: str
    home: str
    key_id: str
    shards: int
    as_at: int | None = None
    log: KafkaSettings | None = None
    snapshot: bool = False
