"""Topics and their owners: `supplier.<source_id>` and `dcc` for events, `rejected.<source_id>` for rejections."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

from pipelines.log.connection import ERRORS, KafkaSettings, LogError, administering
from schemas.sources import sources

DCC_TOPIC: Final = "dcc"
DCC_SOURCE: Final = "SDCC"
SUPPLIER: Final = "supplier."
REJECTED: Final = "rejected."
APPEND_TIME: Final = "LogAppendTime"
# A topic keeps every message for ever, with the time at which the broker took it.
CONFIGURATION: Final = {"message.timestamp.type": APPEND_TIME, "retention.ms": "-1", "max.message.bytes": "2097152"}


def topic_of(source_id: str) -> str:
    """Returns the topic that a source writes to."""
    return DCC_TOPIC if source_id == DCC_SOURCE else SUPPLIER + source_id


def owner_of(topic: str) -> str:
    """Returns the source that a topic belongs to, whichever source its records name."""
    return DCC_SOURCE if topic == DCC_TOPIC else topic.removeprefix(SUPPLIER)


def rejected_topic(source_id: str) -> str:
    """Returns the topic on which a source reads which of its records were rejected."""
    return REJECTED + source_id


def source_topics() -> tuple[str, ...]:
    """Returns the topics of all sources."""
    return tuple(topic_of(source_id) for source_id in sources())


def partitions_wanted(topic: str, least: int = 1) -> int:
    """Returns the number of partitions with which a topic is made.

    The DCC, which sends half of all events, has one partition more. That also makes the number of all partitions even,
    as the stream's two readers need: Beam's source makes as many readers as divide the partitions evenly, up to one for
    each.
    """
    return least + (topic == DCC_TOPIC)


def ensure_topics(settings: KafkaSettings, partitions: int = 1) -> tuple[str, ...]:
    """Makes the missing topics of all sources, for events and rejections, and returns them. Raises LogError."""
    wanted = [*source_topics(), *(rejected_topic(source_id) for source_id in sources())]
    with administering(settings, "make topics") as admin:
        missing = sorted(set(wanted) - set(admin.list_topics()))
        if missing:
            new = [
                NewTopic(name, partitions_wanted(name, partitions), 1, topic_configs=dict(CONFIGURATION))
                for name in missing
            ]
            _create(admin, new)
            admin.wait_for_topics(missing)
    return tuple(missing)


def _create(admin: Any, new: list[NewTopic]) -> None:
    try:
        admin.create_topics(new)
    except ERRORS.TopicAlreadyExistsError:
        # Another process that started at the same time has made them.
        return


def without_append_time(settings: KafkaSettings, topics: Iterable[str]) -> tuple[str, ...]:
    """Returns the topics whose messages do not get the time at which the broker took them. Raises LogError."""
    with administering(settings, "read how topics are set up") as admin:
        wanted = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
        told = admin.describe_configs(wanted, config_filter="all")
    return tuple(sorted(name for name, found in told.get("topic", {}).items() if not _has_append_time(found)))


def _has_append_time(found: dict[str, dict[str, Any]]) -> bool:
    return found.get("message.timestamp.type", {}).get("value") == APPEND_TIME


def require_topics(settings: KafkaSettings, topics: Iterable[str] | None) -> tuple[str, ...]:
    """Returns the named topics, or all existing topics of sources if none are named. Raises LogError.

    Each named topic must exist and belong to a source; without names, at least one topic must exist.
    """
    with administering(settings, "list topics") as admin:
        there = set(admin.list_topics())
    known = source_topics()
    if topics is None:
        found = tuple(topic for topic in known if topic in there)
        if not found:
            raise LogError(
                f"The log at {settings.bootstrap} has no topic of a source yet; `rollout submit` makes them."
            )
        return found
    wanted = tuple(topics)
    for topic in wanted:
        if topic not in known or topic not in there:
            why = "is not there" if topic in known else "is no source's"
            raise LogError(f"The topic {topic} {why}; topics are `dcc` and `supplier.<source_id>`.")
    return wanted


def topic_ids(settings: KafkaSettings) -> dict[str, str]:
    """Returns the ids of all topics by name; a topic that is deleted and made again has a new id. Raises LogError."""
    with administering(settings, "list topics") as admin:
        told = admin.describe_topics()
    return {one["name"]: str(one["topic_id"]) for one in told if not one["error_code"]}


def of_no_source(topics: Iterable[str]) -> tuple[str, ...]:
    """Returns the topics, in order, that are named like a supplier's but belong to no known source."""
    return tuple(sorted(topic for topic in set(topics) - set(source_topics()) if topic.startswith(SUPPLIER)))


def made_again(ids: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the topics, in order, that were deleted, or deleted and made again, since they had the given ids."""
    return tuple(sorted(topic for topic, topic_id in ids.items() if now.get(topic) != topic_id))


def topics_to_write(settings: KafkaSettings, topics: Iterable[str]) -> str:
    """Makes topics that are missing, if we may, and returns the cluster's id. Raises LogError."""
    wanted = set(topics)
    with administering(settings, "list topics") as admin:
        missing = wanted - set(admin.list_topics())
        cluster_id = str(admin.describe_cluster()["cluster_id"])
    if missing:
        _make_for(settings, min(missing))
    return cluster_id


def _make_for(settings: KafkaSettings, missing: str) -> None:
    try:
        ensure_topics(settings)
    except LogError as error:
        if isinstance(error.__cause__, ERRORS.AuthorizationError):
            # A user who may not write to a topic does not see it, so it may be missing or forbidden.
            raise LogError(
                f"{settings.username} may not write to topic {missing} at {settings.bootstrap}, or it is not there."
            ) from error
        raise
