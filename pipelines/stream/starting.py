"""Starts the stream's job: the pipeline over the log, on the Flink cluster that the options name."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
from apache_beam.io.kafka import ReadFromKafka
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.log.connection import READ, KafkaSettings
from pipelines.log.topics import source_topics
from pipelines.stream.flow import flow
from pipelines.stream.settings import StreamSettings

FILE_PROVIDER: Final = "org.apache.kafka.common.config.provider.FileConfigProvider"
JAAS_KEY: Final = "jaas"
# Beam's parallelism (infra/flink/options.py).
READERS: Final = 2
# The source waits for each reader without a message before it takes from the next.
MANY_READERS: Final = 4


class StreamError(Exception):
    """The stream cannot be started or does not exist; the message is one sentence."""


def consumer_config(settings: KafkaSettings, group: str, secrets: Path) -> dict[str, str]:
    """Returns the configuration of Kafka's Java client, which reads secrets from a file so that no job carries them."""
    config = {
        "bootstrap.servers": settings.bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "isolation.level": READ,
        # A job without a checkpoint begins at the group's offsets; only a start of the stream moves them.
        "enable.auto.commit": "false",
        # While catching up, a bundle takes what was fetched; the default of 1 MB is ten messages of 1,000 events.
        "max.partition.fetch.bytes": "4194304",
    }
    if settings.security_protocol == "PLAINTEXT":
        return config
    config["security.protocol"] = settings.security_protocol
    if settings.ca_file:
        config |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": settings.ca_file}
    if settings.security_protocol.startswith("SASL"):
        config |= {
            "sasl.mechanism": settings.sasl_mechanism,
            "config.providers": "file",
            "config.providers.file.class": FILE_PROVIDER,
            "sasl.jaas.config": f"${{file:{secrets}:{JAAS_KEY}}}",
        }
    return config


def readers_of(partitions: int) -> int:
    """Returns how many readers Beam's source makes for a log: two, or the next number that divides its partitions."""
    return next((readers for readers in range(READERS, partitions) if partitions % readers == 0), partitions)


def jaas_line(settings: KafkaSettings) -> str:
    """Returns the line of the file that `consumer_config` names."""
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    name, password = (json.dumps(text) for text in (settings.username, settings.password))
    return f"{JAAS_KEY}={module} required username={name} password={password};\n".replace("\\", "\\\\")


def submit(settings: StreamSettings, consumer: Mapping[str, str], expansion: str, options: Sequence[str]) -> Any:
    """Submits the job to Flink and returns Beam's result, whose `_job_id` names the job at the job server."""
    # Errors are raised; Beam's own lines on standard error do not help the person who starts a stream.
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    pipeline = beam.Pipeline(options=PipelineOptions(list(options)))
    records = pipeline | "Read the log" >> ReadFromKafka(
        consumer_config=dict(consumer),
        topics=list(source_topics()),
        with_metadata=True,
        expansion_service=expansion,
    )
    _ = flow(records, settings)
    return pipeline.run()
