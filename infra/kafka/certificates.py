"""Makes the local broker's own certificate authority and certificate with Java's keytool.

Passes passwords to keytool in files, so that no list of processes shows them.
"""

import secrets
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.processes import ClusterError
from infra.settings import LOOPBACK

VALID_DAYS: Final = "3650"
# The name in the broker's certificate, by which its own controller knows it.
BROKER: Final = "broker"
_KEY: Final = ("-keyalg", "EC", "-groupname", "secp256r1", "-validity", VALID_DAYS, "-storetype", "PKCS12")
# keytool does little in each run, so optimisations that pay off later would only cost time.
_QUICK: Final = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-J-Xshare:auto")
_OWNER_ONLY: Final = 0o600


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of the authority's certificate for clients (PEM), the broker's key store and its password."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The certificate that clients must trust. It is not secret."""
        return self.folder / "ca.pem"

    @property
    def keystore(self) -> Path:
        """The broker's key and certificate (PKCS12)."""
        return self.folder / "broker.p12"

    @property
    def password(self) -> Path:
        """The file with the password of both key stores."""
        return self.folder / "keystore.password"


def private_folder(folder: Path) -> Path:
    """Makes a folder that only its owner may read, and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def write_secret(path: Path, text: str) -> None:
    """Writes text to a file that only its owner can read at any moment."""
    path.unlink(missing_ok=True)
    path.touch(mode=_OWNER_ONLY, exist_ok=False)
    path.write_text(text, encoding="ascii")


def certificates(folder: Path) -> Certificates:
    """Returns the certificates for 127.0.0.1 and localhost, made now if missing. Raises ClusterError."""
    made = Certificates(folder)
    if not made.ca.exists():
        part = private_folder(folder.with_name(f".{folder.name}.part"))
        try:
            _make(Certificates(part))
            shutil.rmtree(folder, ignore_errors=True)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return made


def _make(wanted: Certificates) -> None:
    both = wanted.folder / "ca.p12"
    write_secret(wanted.password, secrets.token_hex(16))
    store = ("-keystore", str(both), "-storepass:file", str(wanted.password))
    authority = ("-dname", "CN=Certificate authority of a local broker", "-ext", "bc:c", "-ext", "ku:c=keyCertSign")
    _keytool("-genkeypair", "-alias", "ca", *authority, *_KEY, *store)
    names = ("-ext", f"san=ip:{LOOPBACK},dns:localhost", "-ext", "eku=serverAuth,clientAuth")
    _keytool("-genkeypair", "-alias", BROKER, "-dname", f"CN={BROKER}", "-signer", "ca", *names, *_KEY, *store)
    source = ("-srckeystore", str(both), "-srcstorepass:file", str(wanted.password), "-srcalias", BROKER)
    target = ("-destkeystore", str(wanted.keystore), "-deststorepass:file", str(wanted.password))
    _keytool("-importkeystore", *source, *target, "-deststoretype", "PKCS12")
    _keytool("-exportcert", "-rfc", "-alias", "ca", "-file", str(wanted.ca), *store)
    for path in (both, wanted.keystore):
        path.chmod(_OWNER_ONLY)


def _keytool(*arguments: str) -> None:
    if shutil.which("keytool") is None:
        raise ClusterError("Java's `keytool` was not found; install a Java development kit first.")
    command: Sequence[str] = ("keytool", *_QUICK, "-noprompt", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        said = (done.stdout or done.stderr).strip().splitlines()
        raise ClusterError(
            f"The broker's certificates cannot be made: {said[0] if said else 'keytool gave no reason'}."
        )
