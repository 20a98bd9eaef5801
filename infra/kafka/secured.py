"""Runs the local broker secured: with TLS, a password for every principal, and the rights of `access`."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.installing import Say
from infra.kafka import cluster
from infra.kafka.access import ADMIN, MECHANISM, PIPELINE, grant, rights
from infra.kafka.certificates import BROKER, Certificates, certificates, private_folder, write_secret
from infra.processes import ClusterError, alone, is_listening, running
from infra.settings import ClusterSettings
from schemas.sources import source_ids

PROTOCOL: Final = "SASL_SSL"
CLIENT_MS: Final = 5_000
_SCRAM_MODULE: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"
_FILE_PROVIDER: Final = "org.apache.kafka.common.config.provider.FileConfigProvider"


@dataclass(frozen=True, slots=True)
class Secured:
    """The certificates and passwords of a secured broker under a home."""

    home: Path

    @property
    def folder(self) -> Path:
        """The folder of passwords, which only its owner may read."""
        return self.home / "kafka" / "secrets"

    @property
    def ca(self) -> Path:
        """The certificate that clients must trust. It is not secret."""
        return Certificates(self.home / "kafka" / "tls").ca

    def certificates(self) -> Certificates:
        """Returns the certificates, made now if missing. Raises ClusterError."""
        return certificates(self.home / "kafka" / "tls")

    def password_file(self, principal: str) -> Path:
        """Returns the file with a principal's password."""
        return self.folder / f"{principal}.password"

    def password(self, principal: str) -> str:
        """Returns a principal's password: random, made when first needed, in a file that only its owner may read."""
        path = self.password_file(principal)
        if not path.exists():
            private_folder(self.folder)
            write_secret(path, secrets.token_urlsafe(24))
        return path.read_text(encoding="ascii")

    def client(self, address: str, principal: str) -> dict[str, Any]:
        """Returns the configuration by which a kafka-python client logs in as a principal."""
        return {
            "bootstrap_servers": address,
            "security_protocol": PROTOCOL,
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": principal,
            "sasl_plain_password": self.password(principal),
            "ssl_cafile": str(self.ca),
            "bootstrap_timeout_ms": CLIENT_MS,
        }


def is_secured(home: Path) -> bool:
    """Whether the broker under a home is, or will be, secured."""
    return Secured(home).password_file(BROKER).exists()


def up_secured(home: Path, settings: ClusterSettings, say: Say, sources: Sequence[str] = ()) -> str:
    """Starts the secured broker, lets its principals log in (`sources`, by default all), and returns its address.

    Raises ClusterError, for instance if the broker was made without security.
    """
    secured, data = Secured(home), home / "kafka" / "data" / "meta.properties"
    if not is_secured(home):
        if data.exists() or running(cluster.place_of(home), cluster.NAME) is not None:
            raise ClusterError(f"The broker under {home} was made without --secure; take another ROLLOUT_HOME.")
        say("Making certificates and passwords")
    with alone(home / "kafka"):
        more = extra(secured)
    address = cluster.up(home, settings, say, more)
    known = tuple(sources) or source_ids()
    passwords = {principal: secured.password(principal) for principal in (ADMIN, PIPELINE, *known)}
    grant(secured.client(address, ADMIN), passwords, rights(known))
    return address


def environment(home: Path, principal: str = ADMIN) -> tuple[str, ...]:
    """Returns shell lines by which `rollout` logs in to the secured broker under a home as a principal."""
    secured = Secured(home)
    return (
        f"export ROLLOUT_KAFKA_SECURITY_PROTOCOL={PROTOCOL}",
        f"export ROLLOUT_KAFKA_USERNAME={principal}",
        f"export ROLLOUT_KAFKA_PASSWORD_FILE={secured.password_file(principal)}",
        f"export ROLLOUT_KAFKA_CA_FILE={secured.ca}",
    )


def extra(secured: Secured) -> cluster.Extra:
    """Returns what makes a broker secured, and writes the files that its properties name."""
    made = secured.certificates()
    jaas = f'{_SCRAM_MODULE} required username="{BROKER}" password="{secured.password(BROKER)}";'
    kept, arguments = secured.folder / "broker.properties", secured.folder / "format.arguments"
    write_secret(kept, f"keystore={made.password.read_text(encoding='ascii')}\njaas={jaas}\n")
    # The formatting tool also takes its arguments from a file, so that no list of processes shows a password.
    scram = [f"{MECHANISM}=[name={name},password={secured.password(name)}]" for name in (ADMIN, BROKER)]
    write_secret(arguments, "".join(f"--add-scram\n{one}\n" for one in scram))
    return cluster.Extra(PROTOCOL, _properties(made, kept), (f"@{arguments}",), _ready(secured))


def _properties(made: Certificates, kept: Path) -> tuple[str, ...]:
    """Returns lines of the broker's properties; secrets stay in a file that they name."""
    return (
        # The controller accepts only holders of the broker's own key.
        f"listener.security.protocol.map=CONTROLLER:SSL,{PROTOCOL}:{PROTOCOL}",
        "listener.name.controller.ssl.client.auth=required",
        f"sasl.enabled.mechanisms={MECHANISM}",
        f"sasl.mechanism.inter.broker.protocol={MECHANISM}",
        "config.providers=file",
        f"config.providers.file.class={_FILE_PROVIDER}",
        f"listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=${{file:{kept}:jaas}}",
        "ssl.keystore.type=PKCS12",
        f"ssl.keystore.location={made.keystore}",
        f"ssl.keystore.password=${{file:{kept}:keystore}}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={made.ca}",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        f"super.users=User:{ADMIN};User:{BROKER};User:CN={BROKER}",
    )


def _ready(secured: Secured) -> Callable[[str], bool]:
    """Returns a function that tells whether `admin` can log in at an address."""

    def ready(address: str) -> bool:
        from kafka import KafkaAdminClient  # noqa: PLC0415 - it is slow, and `rollout --help` imports this module
        from kafka.errors import KafkaError  # noqa: PLC0415

        if not is_listening(int(address.rpartition(":")[2])):
            return False
        try:
            KafkaAdminClient(**secured.client(address, ADMIN)).close()
        except KafkaError:
            return False
        return True

    return ready
