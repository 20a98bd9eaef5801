"""Why a log cannot be reached: what a plain connection meets, where a client of Kafka says no more than "timeout".

A broker ends the connection of who gives a wrong password, and so does one that speaks another protocol; clients try
again until their time is over. So what can be seen without a client is looked at: does anybody listen, does it speak
TLS, is its certificate one that our authority vouches for, does it answer the first question of every client?
"""

import socket
import ssl
import struct
from collections.abc import Iterable
from enum import Enum
from typing import Final

PROBE_SECONDS: Final = 3.0
# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL
_MISMATCHES: Final = {62, 64}
# A request for the versions that a broker speaks (ApiVersions, version 0, number 0, no name), which needs no login:
# its length, its key, its version, its number and the length -1 of a name that is not given.
_VERSIONS: Final = struct.pack(">ihhih", 10, 18, 0, 0, -1)


class Finding(Enum):
    """What a plain connection met. Only `ANSWERS` leaves the fault to what a client says after connecting."""

    NO_ADDRESS = "no address"
    SILENT = "silent"
    MUTE = "mute"
    NOT_TLS = "not tls"
    UNTRUSTED = "untrusted"
    OTHER_NAME = "other name"
    ANSWERS = "answers"


def diagnose(bootstrap: Iterable[str], *, tls: bool, ca_file: str) -> Finding:
    """What the first broker that is met at some addresses (host:port) looks like, or that none is met."""
    met = Finding.NO_ADDRESS
    for address in bootstrap:
        host, port = _parts(address)
        try:
            with socket.create_connection((host, port), timeout=PROBE_SECONDS) as plain:
                return _shake_hands(plain, host, ca_file) if tls else _heard(plain)
        except socket.gaierror:
            continue
        except OSError:
            met = Finding.SILENT
    return met


def speaks_tls(bootstrap: Iterable[str]) -> bool:
    """Whether a broker speaks TLS although we do not mean to."""
    context = ssl.create_default_context()
    # This connection sends nothing: it ends as soon as it is clear what the other side speaks.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for address in bootstrap:
        try:
            with (
                socket.create_connection(_parts(address), timeout=PROBE_SECONDS) as plain,
                context.wrap_socket(plain),
            ):
                return True
        except OSError:
            continue
    return False


def _parts(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _shake_hands(plain: socket.socket, host: str, ca_file: str) -> Finding:
    context = ssl.create_default_context(cafile=ca_file or None)
    try:
        with context.wrap_socket(plain, server_hostname=host) as secured:
            return _heard(secured)
    except ssl.SSLCertVerificationError as error:
        return Finding.OTHER_NAME if error.verify_code in _MISMATCHES else Finding.UNTRUSTED
    except TimeoutError:
        return Finding.MUTE
    except OSError:
        return Finding.NOT_TLS


def _heard(connected: socket.socket) -> Finding:
    """MUTE if nothing comes back in time; who ends the connection has answered, too."""
    try:
        connected.sendall(_VERSIONS)
        connected.recv(1)
    except TimeoutError:
        return Finding.MUTE
    except OSError:
        return Finding.ANSWERS
    return Finding.ANSWERS
