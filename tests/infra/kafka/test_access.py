"""Who may do what on a secured broker: as data, and as a real broker sees it."""

import signal
import socket
import ssl
import stat
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.admin import NewTopic

from infra.kafka import cluster
from infra.kafka.access import (
    ADMIN,
    DCC,
    DCC_TOPIC,
    PIPELINE,
    REJECTED_TOPICS,
    Right,
    grant,
    rights,
    rights_of_pipeline,
    rights_of_source,
)
from infra.kafka.certificates import BROKER, certificates, write_secret
from infra.kafka.secured import Secured, environment, is_secured, up_secured
from infra.processes import ClusterError, running
from pipelines.log.connection import LogError
from pipelines.log.offsets import Range, group_offsets, ranges, set_group
from pipelines.log.producing import Producer
from pipelines.log.reading import messages
from pipelines.log.topics import CONFIGURATION, ensure_topics, owner_of, rejected_topic, source_topics, topic_of
from schemas.sources import source_ids
from schemas.tables import SYNTHETIC_NOTICE
from tests.infra.kafka.secured_broker import DENIED, SUPPLIERS, Broker, free_ports, settings_on
from tests.pipelines.cli import commands

TOPICS = [topic_of(supplier) for supplier in SUPPLIERS]


def test_a_source_writes_the_topic_that_the_log_says_is_its_own() -> None:
    for source in source_ids():
        written = [right.name for right in rights_of_source(source) if right.operation == "WRITE"]
        assert written == [topic_of(source)]
        assert owner_of(written[0]) == source


def test_a_source_reads_its_own_rejections_and_nothing_else() -> None:
    for source in source_ids():
        read = [right for right in rights_of_source(source) if right.operation == "READ" and right.resource == "TOPIC"]
        assert read == [Right(source, "TOPIC", rejected_topic(source), "READ")]


def test_no_group_of_a_source_can_be_another_source_whose_name_is_longer() -> None:
    (group,) = (right for right in rights_of_source("BGAS") if right.resource == "GROUP")
    assert group.prefixed
    assert not "BGASX.mine".startswith(group.name)


def test_no_two_rights_of_sources_share_a_topic() -> None:
    topics = Counter(right.name for source in source_ids() for right in rights_of_source(source))
    assert set(topics.values()) == {1}


def test_the_pipeline_writes_no_topic_that_it_counts() -> None:
    written = [right for right in rights_of_pipeline() if right.operation == "WRITE"]
    assert written == [Right(PIPELINE, "TOPIC", REJECTED_TOPICS, "WRITE", prefixed=True)]
    assert not any(topic.startswith(REJECTED_TOPICS) for topic in source_topics())


def test_the_pipeline_may_read_and_make_every_topic_of_a_source() -> None:
    for topic in source_topics():
        may = {
            right.operation
            for right in rights_of_pipeline()
            if right.resource == "TOPIC" and (topic.startswith(right.name) if right.prefixed else topic == right.name)
        }
        assert may == {"READ", "CREATE", "DESCRIBE_CONFIGS"}


def test_the_groups_of_the_pipeline_are_no_sources() -> None:
    groups = [right.name for right in rights(source_ids()) if right.resource == "GROUP"]
    assert not any(one != other and one.startswith(other) for one in groups for other in groups)


def test_all_rights_are_those_of_each_source_and_of_the_pipeline() -> None:
    assert {right.principal for right in rights(["BGAS", DCC])} == {"BGAS", DCC, PIPELINE}


def test_a_secret_is_for_its_owner_only_also_when_it_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("open", encoding="ascii")
    path.chmod(0o644)
    write_secret(path, "closed")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text(encoding="ascii") == "closed"


def test_a_password_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    secured = Secured(tmp_path)
    passwords = {name: secured.password(name) for name in SUPPLIERS}
    assert len(set(passwords.values())) == len(SUPPLIERS)
    assert passwords == {name: secured.password(name) for name in SUPPLIERS}
    assert stat.S_IMODE(secured.folder.stat().st_mode) == 0o700


def test_a_broker_made_without_it_is_not_secured_afterwards(tmp_path: Path) -> None:
    data = tmp_path / "kafka" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").touch()
    with pytest.raises(ClusterError, match="without --secure"):
        up_secured(tmp_path, settings_on((1, 2)), print)
    assert not is_secured(tmp_path)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    home, settings = tmp_path_factory.mktemp("secured"), settings_on(free_ports())
    running_broker = Broker(home, settings)
    try:
        up_secured(home, settings, print, (*SUPPLIERS, DCC))
        ensure_topics(running_broker.as_principal(PIPELINE))
        _make_topics(running_broker, [topic for topic in TOPICS if topic not in source_topics()])
        yield running_broker
    finally:
        cluster.down(home)


def _make_topics(broker: Broker, names: list[str]) -> None:
    admin = broker.admin()
    try:
        admin.create_topics([NewTopic(name, 1, 1, topic_configs=dict(CONFIGURATION)) for name in names])
        admin.wait_for_topics(names)
    finally:
        admin.close()


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("other") / "tls").ca


@pytest.mark.cluster
def test_of_forty_suppliers_each_writes_its_own_of_forty_topics_and_no_other(broker: Broker) -> None:
    before = {one.topic: one.end for one in ranges(broker.as_principal(ADMIN), TOPICS)}
    codes = {(who, topic): code for who in SUPPLIERS for topic, code in broker.written(who, TOPICS).items()}
    after = {one.topic: one.end for one in ranges(broker.as_principal(ADMIN), TOPICS)}
    assert len(codes) == 1600
    assert Counter(codes.values()) == {0: 40, DENIED: 1560}
    assert {pair for pair, code in codes.items() if not code} == {(who, topic_of(who)) for who in SUPPLIERS}
    assert after == {topic: end + 1 for topic, end in before.items()}


@pytest.mark.cluster
def test_a_supplier_writes_with_the_producer_of_rollout_submit(broker: Broker) -> None:
    producer = Producer(broker.as_principal("BGAS"))
    producer.send(topic_of("BGAS"), None, b"an event")
    producer.flush()
    with pytest.raises(LogError, match="BGAS may not write"):
        _send(producer, topic_of("OVOE"))
    producer.close()


def _send(producer: Producer, topic: str) -> None:
    producer.send(topic, None, b"an event")
    producer.flush()


@pytest.mark.cluster
def test_the_dcc_writes_its_topic_and_no_suppliers_and_no_supplier_writes_its(broker: Broker) -> None:
    codes = broker.written(DCC, [DCC_TOPIC, *TOPICS])
    assert {topic for topic, code in codes.items() if not code} == {DCC_TOPIC}
    assert broker.written("BGAS", [DCC_TOPIC]) == {DCC_TOPIC: DENIED}


@pytest.mark.cluster
def test_a_supplier_reads_its_own_rejections_only(broker: Broker) -> None:
    assert set(broker.written(PIPELINE, map(rejected_topic, ("BGAS", "OVOE"))).values()) == {0}
    own, others = (Range(rejected_topic(name), 0, 0, 1) for name in ("BGAS", "OVOE"))
    ((message,),) = messages(broker.as_principal("BGAS"), own)
    assert message.value == b"an event"
    with pytest.raises(LogError, match="BGAS may not read"):
        list(messages(broker.as_principal("BGAS"), others))


@pytest.mark.cluster
def test_a_supplier_cannot_read_even_its_own_topic_of_events(broker: Broker) -> None:
    broker.written("BGAS", [topic_of("BGAS")])
    with pytest.raises(LogError, match="BGAS may not read"):
        list(messages(broker.as_principal("BGAS"), Range(topic_of("BGAS"), 0, 0, 1)))


@pytest.mark.cluster
def test_a_supplier_uses_groups_of_its_own_only(broker: Broker) -> None:
    offsets = {rejected_topic("BGAS"): {"0": 1}}
    set_group(broker.as_principal("BGAS"), "BGAS.reader", offsets)
    assert group_offsets(broker.as_principal("BGAS"), "BGAS.reader") == offsets
    for group in ("BGASX.reader", "rollout-stream"):
        with pytest.raises(LogError, match="BGAS may not"):
            set_group(broker.as_principal("BGAS"), group, offsets)


@pytest.mark.cluster
def test_a_supplier_makes_no_topics(broker: Broker) -> None:
    _make_missing(broker, gone=topic_of(source_ids()[-1]))
    with pytest.raises(LogError, match="BGAS may not make topics"):
        ensure_topics(broker.as_principal("BGAS"))


def _make_missing(broker: Broker, gone: str) -> None:
    """Takes a topic away and lets the pipeline make it again."""
    admin = broker.admin()
    try:
        admin.delete_topics([gone])
    finally:
        admin.close()
    made = ensure_topics(broker.as_principal(PIPELINE))
    assert made == (gone,)


@pytest.mark.cluster
def test_the_pipeline_writes_rejections_and_nobodys_events(broker: Broker) -> None:
    codes = broker.written(PIPELINE, [*TOPICS, DCC_TOPIC, rejected_topic("OVOE")])
    assert {topic for topic, code in codes.items() if not code} == {rejected_topic("OVOE")}


@pytest.mark.cluster
def test_the_pipeline_sets_the_offsets_of_a_stream(broker: Broker) -> None:
    offsets = {DCC_TOPIC: {"0": 0}}
    set_group(broker.as_principal(PIPELINE), "rollout-20260101T000000000000Z", offsets)
    assert group_offsets(broker.as_principal(PIPELINE), "rollout-20260101T000000000000Z") == offsets


@pytest.mark.cluster
def test_a_wrong_password_is_named_as_that(broker: Broker) -> None:
    with pytest.raises(LogError, match="password") as told:
        ranges(broker.as_principal("BGAS", password="guessed"), [topic_of("BGAS")])
    assert "guessed" not in str(told.value)
    assert "BGAS" in str(told.value)


@pytest.mark.cluster
def test_a_password_of_another_principal_does_not_do(broker: Broker) -> None:
    with pytest.raises(LogError, match="password"):
        ranges(broker.as_principal("BGAS", password=broker.secured.password("OVOE")), [topic_of("BGAS")])


@pytest.mark.cluster
def test_a_broker_that_another_authority_vouches_for_is_named_as_that(broker: Broker, other_authority: Path) -> None:
    with pytest.raises(LogError, match="certificate"):
        ranges(broker.as_principal("BGAS", ca=other_authority), [topic_of("BGAS")])


@pytest.mark.cluster
def test_the_controller_takes_nobody_without_the_brokers_key(broker: Broker) -> None:
    context = ssl.create_default_context(cafile=str(broker.secured.ca))
    address = ("127.0.0.1", broker.settings.kafka_controller_port)
    # In TLS 1.3 a server says what it thinks of a client's certificate only after the client's handshake.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(address, timeout=5) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.mark.cluster
def test_no_password_is_in_the_brokers_settings_or_command(broker: Broker) -> None:
    passwords = [path.read_text(encoding="ascii") for path in broker.secured.folder.glob("*.password")]
    passwords.append(broker.secured.certificates().password.read_text(encoding="ascii"))
    pid = running(cluster.place_of(broker.home), cluster.NAME)
    shown = (broker.home / "kafka" / "server.properties").read_text(encoding="utf-8")
    shown += Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    shown += cluster.place_of(broker.home).log_of(cluster.NAME).read_text(encoding="utf-8")
    assert len(passwords) > len(SUPPLIERS)
    assert not any(password in shown for password in passwords)
    secrets = [*broker.secured.folder.iterdir(), *broker.secured.ca.parent.glob("*.p12")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}


@pytest.mark.cluster
def test_up_again_changes_nothing_and_takes_rights_away_that_are_no_longer_wanted(broker: Broker) -> None:
    address = up_secured(broker.home, broker.settings, print, (*SUPPLIERS, DCC))
    passwords = {"QQQA": broker.secured.password("QQQA")}
    more = (*rights_of_source("QQQA"), Right("QQQA", "TOPIC", topic_of("QQQB"), "WRITE"))
    client = broker.secured.client(address, ADMIN)
    grant(client, passwords, more)
    assert broker.written("QQQA", [topic_of("QQQA"), topic_of("QQQB")]) == {topic_of("QQQA"): 0, topic_of("QQQB"): 0}
    grant(client, passwords, rights_of_source("QQQA"))
    assert broker.written("QQQA", [topic_of("QQQA"), topic_of("QQQB")])[topic_of("QQQB")] == DENIED
    assert broker.written("QQQB", [topic_of("QQQB")]) == {topic_of("QQQB"): 0}


@pytest.mark.cluster
def test_a_password_whose_file_is_deleted_is_another_after_the_next_up(broker: Broker) -> None:
    old = broker.secured.password("QQQC")
    broker.secured.password_file("QQQC").unlink()
    up_secured(broker.home, broker.settings, print, (*SUPPLIERS, DCC))
    assert broker.written("QQQC", [topic_of("QQQC")]) == {topic_of("QQQC"): 0}
    with pytest.raises(LogError, match="password"):
        ranges(broker.as_principal("QQQC", password=old), [topic_of("QQQC")])


@pytest.mark.cluster
def test_the_lines_for_a_shell_let_rollout_in(broker: Broker) -> None:
    lines = "\n".join([*environment(broker.home), "env | grep ^ROLLOUT_KAFKA_"])
    done = subprocess.run(
        ["sh", "-c", lines], capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"}
    )
    told = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert Path(told["ROLLOUT_KAFKA_CA_FILE"]) == broker.secured.ca
    assert Path(told["ROLLOUT_KAFKA_PASSWORD_FILE"]).read_text(encoding="ascii") == broker.secured.password(ADMIN)
    assert BROKER not in told["ROLLOUT_KAFKA_USERNAME"]


@pytest.mark.cluster
def test_a_synthetic_britain_plays_until_it_is_interrupted_and_leaves_nothing_but_its_messages(
    broker: Broker, tmp_path: Path
) -> None:
    wanted = source_topics()
    before = sum(one.end for one in ranges(broker.as_principal(ADMIN), wanted))
    secrets = dict(line.removeprefix("export ").split("=", 1) for line in environment(broker.home))
    (tmp_path / "tmp").mkdir()
    kept = {**commands.environment(tmp_path / "home"), **secrets, "TMPDIR": str(tmp_path / "tmp")}
    arguments = [
        "generate",
        "--live",
        "200",
        "--kafka",
        broker.settings.kafka,
        "--meters",
        "50",
        "--until",
        "2013-12-31",
    ]
    with subprocess.Popen([commands.ROLLOUT, *arguments], env=kept, text=True, stdout=-1, stderr=-1) as player:
        while sum(one.end for one in ranges(broker.as_principal(ADMIN), wanted)) == before:
            assert player.poll() is None
        player.send_signal(signal.SIGINT)
        out, _ = player.communicate(timeout=60)
    after = sum(one.end for one in ranges(broker.as_principal(ADMIN), wanted))
    assert player.returncode == 0
    assert out.startswith(f"Played {after - before:,} events in ")
    assert SYNTHETIC_NOTICE in out
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
