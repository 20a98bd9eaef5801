"""The stream on a secured log: sources write as themselves, the pipeline reads, each hears of its own rejections."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from infra.kafka.access import PIPELINE
from infra.kafka.secured import MECHANISM, PROTOCOL, Secured
from pipelines.log.connection import KafkaSettings, LogError
from pipelines.log.offsets import ranges
from pipelines.log.reading import messages
from pipelines.log.topics import rejected_topic
from pipelines.store import open_store
from pipelines.synthetic import Plan
from tests.builders import ACME
from tests.end_to_end.ledger import at_rest
from tests.end_to_end.world import FEW_WORKERS, World, world
from tests.pipelines.whole_runs import britain

pytestmark = pytest.mark.cluster

PLAN = Plan(400, 1, date(2018, 6, 30), 0.4)
SENDERS = 4


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("secured"), "--secure") as made:
        yield made


def as_principal(here: World, name: str) -> KafkaSettings:
    kept = Secured(here.home)
    return KafkaSettings(here.bootstrap, PROTOCOL, MECHANISM, name, kept.password(name), str(kept.ca))


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def send_each_as_itself(here: World, folder: Path) -> None:
    """The sources with most to say each send their own folder under their own name."""
    for source in sorted((path for path in folder.iterdir() if path.is_dir()), key=size_of)[-SENDERS:]:
        here.rollout("submit", source, "--kafka", here.bootstrap, principal=source.name)


def test_who_may_not_read_the_log_starts_no_stream(here: World, tmp_path: Path) -> None:
    target = ("--kafka", here.bootstrap, "--store", f"sqlite:///{tmp_path}/none.db")
    told = here.rollout("stream", "start", *target, fails=True, principal=ACME)
    assert len(told.strip().splitlines()) == 1
    assert "may not" in told


def test_a_stream_over_a_secured_log_ends_in_what_a_recount_gives(here: World, tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path}/ledger.db"
    here.rollout("stream", "start", "--kafka", here.bootstrap, "--store", ledger, *FEW_WORKERS, principal=PIPELINE)
    send_each_as_itself(here, britain(tmp_path / "britain", PLAN))
    bounded = f"sqlite:///{tmp_path}/bounded.db"
    here.rollout("run", "--kafka", here.bootstrap, "--store", bounded, principal=PIPELINE)
    at_rest(ledger, open_store(bounded).current_run().received)
    verified = here.rollout("verify", "--kafka", here.bootstrap, "--store", ledger, principal=PIPELINE)
    assert "cells agree" in verified
    rejected = open_store(ledger).quarantine()["owner"].unique().to_list()
    assert len(rejected) > 1
    for source in rejected:
        assert heard_by(here, source, source) > 0
    with pytest.raises(LogError, match=rejected[1]):
        heard_by(here, rejected[0], rejected[1])
    assert "Watched" in here.rollout("stream", "status", principal=PIPELINE)


def test_a_password_is_only_in_files_that_their_owner_alone_may_read(here: World) -> None:
    password = Secured(here.home).password(PIPELINE).encode()
    holds = [path for path in here.home.rglob("*") if path.is_file() and password in path.read_bytes()]
    assert [path for path in holds if path.is_relative_to(here.home / "stream")]
    assert [path for path in holds if path.stat().st_mode & 0o077] == []


def heard_by(here: World, principal: str, source: str) -> int:
    """How many messages of a source's rejections a principal can read. Raises LogError."""
    log = as_principal(here, principal)
    return sum(len(batch) for one in ranges(log, [rejected_topic(source)]) for batch in messages(log, one))
