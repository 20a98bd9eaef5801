"""Ends a stream if its log is no longer the one that it began with."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from infra.flink.jobs import LOST, cancel, job_named
from infra.settings import cluster_settings
from pipelines.cli.logwords import of_topics_made_again
from pipelines.log.topics import topic_ids
from pipelines.store import StoreMissing
from pipelines.stream.record import StreamRecord, keep
from pipelines.stream.settings import log_of, store_of


def ended_by_its_log(home: Path, record: StreamRecord) -> str:
    """Ends the stream and returns why if a topic was deleted or recreated since it began; otherwise returns "".

    Beam's source skips messages whose offsets it has read before, so messages to the new topic would be lost.
    Raises LogError, FlinkAway, ClusterError and StoreError.
    """
    settings = record.settings(home)
    why = of_topics_made_again(record.topic_ids, topic_ids(log_of(settings)), "the stream began")
    if why:
        flink = cluster_settings().flink
        job = job_named(flink, record.name)
        if job is not None and job.state not in LOST:
            cancel(flink, job.job_id)
        with suppress(StoreMissing):
            store_of(settings).end_stream(record.run_id)
        keep(home, replace(record, ended=why))
    return why
