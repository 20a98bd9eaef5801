"""What every step of a bounded run needs to know."""

from dataclasses import dataclass

from pipelines.log.connection import KafkaSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """What every step of a bounded run needs to know; picklable, and without the secret key itself.

    `work` is the run's own folder, `home` where a key is kept if none is set, `key_id` the key that must be found,
    `log` how to reach the Kafka log that is read, if any, `snapshot` whether each shard's history is kept in `work`.
    """

    work: str
    home: str
    key_id: str
    shards: int
    as_at: int | None = None
    log: KafkaSettings | None = None
    snapshot: bool = False
