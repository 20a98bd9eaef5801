"""Each fault that a person can put right has its own sentence, and no sentence has a password in it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import errors
from pydantic import SecretStr

from pipelines.log import connection, diagnosis
from pipelines.log.connection import KafkaSettings, LogEnvironment, LogError, admin_of, client_config, explained
from tests.pipelines.log.plain_broker import free_ports


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE_MS", 200)
    monkeypatch.setattr(connection, "FIRST_TRY_MS", 200)


@pytest.fixture
def listener() -> Iterator[str]:
    """An address at which somebody takes every connection and ends it at once."""
    server = socket.create_server(("127.0.0.1", 0))

    def take() -> None:
        while True:
            try:
                server.accept()[0].close()
            except OSError:
                return

    thread = threading.Thread(target=take)
    thread.start()
    with closing(server):
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address at which the system takes every connection and nobody answers, as where a process is stopped."""
    monkeypatch.setattr(diagnosis, "PROBE_SECONDS", 0.2)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n", encoding="utf-8")
    (tmp_path / "ca.pem").touch()
    for name, value in {
        "SECURITY_PROTOCOL": "SASL_SSL",
        "USERNAME": "BGAS",
        "PASSWORD_FILE": str(secret),
        "CA_FILE": str(tmp_path / "ca.pem"),
    }.items():
        monkeypatch.setenv(f"ROLLOUT_KAFKA_{name}", value)
    settings = KafkaSettings.at("one:9092,two:9092")
    assert client_config(settings) | {"bootstrap_timeout_ms": 0, "client_id": ""} == {
        "bootstrap_servers": ["one:9092", "two:9092"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "BGAS",
        "sasl_plain_password": "open sesame",
        "ssl_cafile": str(tmp_path / "ca.pem"),
        "bootstrap_timeout_ms": 0,
        "client_id": "",
    }


def test_a_plain_log_wants_no_secret() -> None:
    told = client_config(KafkaSettings.at("127.0.0.1:9092", LogEnvironment()))
    assert not [name for name in told if name.startswith(("sasl", "ssl"))]


def test_settings_shown_do_not_show_the_password() -> None:
    settings = KafkaSettings("one:9092", password="open sesame")
    assert "sesame" not in repr(settings)
    assert "sesame" not in str(settings.as_words())


@pytest.mark.parametrize("bootstrap", ["", "9092", "host", "host:port", "a:1,b"])
def test_what_is_no_address_is_told(bootstrap: str) -> None:
    with pytest.raises(LogError, match="wants addresses such as"):
        KafkaSettings.at(bootstrap, LogEnvironment())


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"security_protocol": "SASL_SSL"}, "wants a name and a password"),
        ({"security_protocol": "SASL_SSL", "username": "BGAS"}, "wants a name and a password"),
        ({"security_protocol": "SASL_SSL", "password": SecretStr("x")}, "wants a name and a password"),
        ({"password_file": Path("/nowhere/secret")}, "The password file /nowhere/secret cannot be read"),
        ({"ca_file": Path("/nowhere/ca.pem")}, "no file /nowhere/ca.pem"),
    ],
)
def test_what_lacks_of_the_settings_is_told(found: dict[str, object], sentence: str) -> None:
    with pytest.raises(LogError, match=sentence):
        KafkaSettings.at("127.0.0.1:9092", LogEnvironment.model_validate(found))


def test_an_address_at_which_nobody_listens_is_told() -> None:
    with pytest.raises(LogError, match="cannot be reached: nobody answers there"):
        admin_of(KafkaSettings(f"127.0.0.1:{free_ports()[0]}"))


def test_a_host_that_there_is_not_is_told() -> None:
    with pytest.raises(LogError, match="there is no such host"):
        admin_of(KafkaSettings("nowhere.invalid:9092"))


def test_a_log_that_does_not_speak_tls_is_told_to_who_wants_it(listener: str) -> None:
    with pytest.raises(LogError, match="does not speak TLS"):
        admin_of(KafkaSettings(listener, "SASL_SSL", username="BGAS", password="x"))


def test_who_ends_every_connection_without_tls_does_not_take_the_password(listener: str) -> None:
    with pytest.raises(LogError, match="does not take the name BGAS with that password") as told:
        admin_of(KafkaSettings(listener, "SASL_PLAINTEXT", username="BGAS", password="open sesame"))
    assert "sesame" not in str(told.value)


def test_who_ends_every_connection_of_the_nameless_may_want_a_name(listener: str) -> None:
    with pytest.raises(LogError, match="not to who gives no name and password"):
        admin_of(KafkaSettings(listener))


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL"])
def test_a_log_that_takes_connections_and_answers_nothing_is_told_as_that(hung: str, protocol: str) -> None:
    settings = KafkaSettings(hung, protocol, username="BGAS", password="open sesame")
    with pytest.raises(LogError, match="takes connections, but does not answer within 3 s"):
        admin_of(settings)
    with pytest.raises(LogError, match="takes connections, but does not answer"), explained(settings, "read"):
        raise errors.KafkaTimeoutError


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (errors.TopicAuthorizationFailedError(), "^BGAS may not write to topic dcc at "),
        (errors.UnknownTopicOrPartitionError(), "has no such topic, so one cannot write to topic dcc"),
        (errors.MessageSizeTooLargeError(), "takes no message of that size, so one cannot write to topic dcc"),
        (errors.KafkaTimeoutError(), "was away for too long to write to topic dcc"),
        (errors.SaslAuthenticationFailedError(), "does not take the name BGAS"),
        (errors.PolicyViolationError(), "does not let one write to topic dcc: PolicyViolationError"),
    ],
)
def test_what_the_log_answers_is_told_in_one_sentence(listener: str, error: Exception, sentence: str) -> None:
    settings = KafkaSettings(listener, "SASL_PLAINTEXT", username="BGAS", password="open sesame")
    with pytest.raises(LogError, match=sentence) as told, explained(settings, "write to topic dcc"):
        raise error
    assert "\n" not in str(told.value)
    assert "sesame" not in str(told.value)


def test_a_log_that_has_gone_is_told_as_that() -> None:
    settings = KafkaSettings(f"127.0.0.1:{free_ports()[0]}")
    with pytest.raises(LogError, match="nobody answers there"), explained(settings, "read"):
        raise errors.KafkaTimeoutError
