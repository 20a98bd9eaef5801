"""Connects to the log: address, credentials, clients, and one sentence for every fault that a user can put right."""

import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import kafka
import kafka.errors
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.log.diagnosis import PROBE_SECONDS, Finding, diagnose, speaks_tls
from pipelines.settings import AbsolutePath

# Long enough for a broker to restart; a user who mistyped an address waits no longer than this.
PATIENCE_MS: Final = 15_000
FIRST_TRY_MS: Final = 2_000
PAUSE_SECONDS: Final = 0.3
# Messages of an aborted transaction do not count, and those of an open one do not count yet.
READ: Final = "read_committed"
# The type stubs for kafka-python describe an older release.
CLIENTS: Final[Any] = kafka
ERRORS: Final[Any] = kafka.errors
ADDRESS: Final = re.compile(r".+:[0-9]{1,5}")
Found = TypeVar("Found")
# A broker that restarts is first unreachable and then slow.
WORTH_WAITING: Final = (Finding.SILENT, Finding.MUTE)
# The sentence for each finding of a plain connection.
_AT: Final = "The log at {bootstrap} "
_MET: Final = {
    Finding.NO_ADDRESS: _AT + "cannot be reached: there is no such host.",
    Finding.SILENT: _AT + "cannot be reached: nobody answers there.",
    Finding.MUTE: _AT + f"takes connections, but does not answer within {PROBE_SECONDS:.0f} s: does its process hang?",
    Finding.NOT_TLS: _AT + "does not speak TLS, which ROLLOUT_KAFKA_SECURITY_PROTOCOL={security_protocol} wants.",
    Finding.UNTRUSTED: _AT + "shows a certificate that {vouches} does not vouch for.",
    Finding.OTHER_NAME: _AT + "shows a certificate that is for another name than the address given.",
}


class LogError(Exception):
    """The log cannot be reached or used; the message is one sentence."""


class LogEnvironment(BaseSettings):
    """The settings ROLLOUT_KAFKA_...: SECURITY_PROTOCOL, SASL_MECHANISM, USERNAME, PASSWORD(_FILE) and CA_FILE."""

    model_config = SettingsConfigDict(env_prefix="ROLLOUT_KAFKA_")

    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "SCRAM-SHA-256"
    username: str = ""
    password: SecretStr | None = None
    password_file: AbsolutePath | None = None
    ca_file: AbsolutePath | None = None


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """The addresses of the brokers to contact first, and the credentials to show them."""

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "SCRAM-SHA-256"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""

    @classmethod
    def at(cls, bootstrap: str, environment: LogEnvironment | None = None) -> "KafkaSettings":
        """Returns settings for brokers, with credentials from the environment. Raises LogError if they are unusable."""
        found = environment or LogEnvironment()
        if not all(ADDRESS.fullmatch(part) for part in bootstrap.split(",")):
            raise LogError(f"--kafka wants addresses such as 127.0.0.1:9092, not {bootstrap!r}.")
        password = found.password.get_secret_value() if found.password else ""
        if found.password_file is not None:
            password = _read(found.password_file)
        if found.ca_file is not None and not found.ca_file.is_file():
            raise LogError(f"There is no file {found.ca_file}, which ROLLOUT_KAFKA_CA_FILE names.")
        if found.security_protocol.startswith("SASL") and not (found.username and password):
            raise LogError(
                "The log wants a name and a password: set ROLLOUT_KAFKA_USERNAME and ROLLOUT_KAFKA_PASSWORD_FILE."
            )
        ca_file = str(found.ca_file or "")
        return cls(bootstrap, found.security_protocol, found.sasl_mechanism, found.username, password, ca_file)

    @property
    def tls(self) -> bool:
        """Whether connections to the log use TLS."""
        return self.security_protocol.endswith("SSL")

    def as_words(self) -> dict[str, str]:
        """Returns the settings for use in a sentence; the password is left empty."""
        vouches = self.ca_file or "this system"
        return {**asdict(self), "password": "", "vouches": vouches}

    def as_dict(self) -> dict[str, str]:
        """Returns all settings, including the password, for a file that only its owner may read."""
        return asdict(self)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"The password file {path} cannot be read.") from error


def client_config(settings: KafkaSettings) -> dict[str, Any]:
    """Returns the settings in the form that kafka-python's clients take."""
    config: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap.split(","),
        "security_protocol": settings.security_protocol,
        "bootstrap_timeout_ms": PATIENCE_MS,
        "client_id": "rollout",
    }
    if settings.security_protocol.startswith("SASL"):
        config["sasl_mechanism"] = settings.sasl_mechanism
        config["sasl_plain_username"] = settings.username
        config["sasl_plain_password"] = settings.password
    if settings.tls and settings.ca_file:
        config["ssl_cafile"] = settings.ca_file
    return config


@contextmanager
def explained(settings: KafkaSettings, what: str) -> Generator[None]:
    """Raises LogError in place of any error of Kafka; `what` names the use of the log in its sentence."""
    try:
        yield
    except ERRORS.KafkaError as error:
        raise LogError(_sentence(settings, what, error)) from error


def _sentence(settings: KafkaSettings, what: str, error: Exception) -> str:
    match error:
        case ERRORS.SaslAuthenticationFailedError():
            return _refused(settings)
        case ERRORS.RetriableError() if (finding := _finding(settings)) is not Finding.ANSWERS:
            return _MET[finding].format(**settings.as_words())
        case ERRORS.AuthorizationError():
            return f"{settings.username or 'Who gives no name'} may not {what} at {settings.bootstrap}."
        case ERRORS.UnknownTopicOrPartitionError():
            said = "has no such topic, so one cannot"
        case ERRORS.MessageSizeTooLargeError() | ERRORS.RecordListTooLargeError():
            said = "takes no message of that size, so one cannot"
        case ERRORS.RetriableError():
            said = "was away for too long to"
        case _:
            return f"The log at {settings.bootstrap} does not let one {what}: {type(error).__name__}."
    return f"The log at {settings.bootstrap} {said} {what}."


def _refused(settings: KafkaSettings) -> str:
    """Returns the sentence for a broker that answers and then ends every connection."""
    if _speaks_other(settings):
        said = "speaks TLS: set ROLLOUT_KAFKA_SECURITY_PROTOCOL=SASL_SSL and ROLLOUT_KAFKA_CA_FILE."
    elif settings.security_protocol.startswith("SASL"):
        said = "does not take the name {username} with that password by {sasl_mechanism}."
    else:
        said = "answers, but not to who gives no name and password: is ROLLOUT_KAFKA_SECURITY_PROTOCOL set?"
    return f"The log at {settings.bootstrap} {said.format(**settings.as_words())}"


def _finding(settings: KafkaSettings) -> Finding:
    return diagnose(settings.bootstrap.split(","), tls=settings.tls, ca_file=settings.ca_file)


def admin_of(settings: KafkaSettings) -> Any:
    """Returns a client that manages topics and groups; the caller closes it. Raises LogError."""
    return client_of(CLIENTS.KafkaAdminClient, settings)


@contextmanager
def administering(settings: KafkaSettings, what: str) -> Generator[Any]:
    """Yields a client that manages topics and groups, for one use that `what` names. Raises LogError."""
    with explained(settings, what):
        admin = admin_of(settings)
        try:
            yield admin
        finally:
            admin.close()


def consumer_of(settings: KafkaSettings, **more: Any) -> Any:
    """Returns a consumer without a group that reads committed messages; the caller closes it. Raises LogError."""
    config = {"group_id": None, "enable_auto_commit": False, "allow_auto_create_topics": False, "isolation_level": READ}
    return client_of(CLIENTS.KafkaConsumer, settings, **config, **more)


def client_of(kind: Callable[..., Any], settings: KafkaSettings, **more: Any) -> Any:
    """Returns a client that has connected to the log. Raises LogError: at once if waiting does not help.

    A client is made only after a broker answers and shows the right certificate, since kafka-python never releases a
    connection that fails before that.
    """
    deadline, window, refusals = time.monotonic() + PATIENCE_MS / 1000, FIRST_TRY_MS, 0
    while True:
        finding = _finding(settings)
        if finding is Finding.ANSWERS:
            try:
                return kind(**{**client_config(settings), "bootstrap_timeout_ms": window}, **more)
            except (ERRORS.KafkaTimeoutError, ERRORS.KafkaConnectionError) as error:
                refusals += 1
                late = time.monotonic() > deadline
                # Unless the connection is plain, a second refusal means wrong credentials, so waiting does not help.
                if late or (refusals > 1 and settings.security_protocol != "PLAINTEXT") or _speaks_other(settings):
                    raise LogError(_refused(settings)) from error
            # A busy broker may take longer than the first try.
            window *= 2
        elif finding not in WORTH_WAITING or time.monotonic() > deadline:
            raise LogError(_MET[finding].format(**settings.as_words()))
        else:
            time.sleep(PAUSE_SECONDS)


def _speaks_other(settings: KafkaSettings) -> bool:
    return not settings.tls and speaks_tls(settings.bootstrap.split(","))


def patiently(call: Callable[[], Found]) -> Found:
    """Returns the result of a call, repeated for a while if the broker asks to try again, as it does after a start."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        try:
            return call()
        except ERRORS.RetriableError:
            if time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_SECONDS)
