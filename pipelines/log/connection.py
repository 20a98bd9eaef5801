"""How to reach the log: address and credentials, and one sentence for everything that a person can put right."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import kafka
from kafka import errors
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

# Long enough for a broker that starts again; a person who mistyped an address waits no longer.
PATIENCE_MS: Final = 15_000
# The stubs that type checkers bring for kafka-python are of an older release.
CLIENTS: Final[Any] = kafka


class LogError(Exception):
    """The log cannot be reached or used; the message is one sentence."""


class LogEnvironment(BaseSettings):
    """Settings by their names: ROLLOUT_KAFKA_SECURITY_PROTOCOL, SASL_MECHANISM, USERNAME, PASSWORD(_FILE), CA_FILE."""

    model_config = SettingsConfigDict(env_prefix="ROLLOUT_KAFKA_")

    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "SCRAM-SHA-256"
    username: str = ""
    password: SecretStr | None = None
    password_file: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """The brokers to begin with, and how to prove to them who we are."""

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "SCRAM-SHA-256"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""

    @classmethod
    def at(cls, bootstrap: str, environment: LogEnvironment | None = None) -> "KafkaSettings":
        """Settings for brokers with the credentials that the environment holds. Raises LogError."""
        found = environment or LogEnvironment()
        if not all(part.rpartition(":")[2].isdigit() and part.rpartition(":")[0] for part in bootstrap.split(",")):
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

    def as_dict(self) -> dict[str, str]:
        """All of it, the password too, for a file that only its owner may read."""
        return asdict(self)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"The password file {path} cannot be read.") from error


def client_config(settings: KafkaSettings) -> dict[str, Any]:
    """The settings as clients of kafka-python take them."""
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
    if settings.security_protocol.endswith("SSL") and settings.ca_file:
        config["ssl_cafile"] = settings.ca_file
    return config


@contextmanager
def explained(settings: KafkaSettings, what: str) -> Generator[None]:
    """Everything that a person can put right about a use of the log leaves as LogError; `what` names the use."""
    try:
        yield
    except errors.KafkaError as error:
        raise LogError(_sentence(settings, what, error)) from error


def _sentence(settings: KafkaSettings, what: str, error: errors.KafkaError) -> str:
    told = f"{type(error).__name__} {error}".lower()
    secured, signed_on = settings.security_protocol != "PLAINTEXT", settings.security_protocol.startswith("SASL")
    if isinstance(error, errors.AuthorizationError):
        return f"{settings.username or 'Without a name one'} may not {what}."
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return f"The log at {settings.bootstrap} has no such topic: {what} is not possible."
    if isinstance(error, errors.MessageSizeTooLargeError):
        return f"The log at {settings.bootstrap} takes no message of that size."
    if "certificate" in told or "ssl" in told:
        return f"The certificate of the log at {settings.bootstrap} is not one that ROLLOUT_KAFKA_CA_FILE vouches for."
    if signed_on and "auth" in told:
        return f"The log at {settings.bootstrap} does not take the name {settings.username} with that password."
    also = ", or it does not take the name and password given" if secured else ""
    return f"The log at {settings.bootstrap} cannot be reached{also}: {type(error).__name__}."


def admin_of(settings: KafkaSettings) -> Any:
    """A client that looks after topics and groups; whoever makes it closes it."""
    return CLIENTS.KafkaAdminClient(**client_config(settings))


def consumer_of(settings: KafkaSettings, **more: Any) -> Any:
    """A consumer of no group; whoever makes it closes it."""
    return CLIENTS.KafkaConsumer(**client_config(settings), group_id=None, enable_auto_commit=False, **more)
