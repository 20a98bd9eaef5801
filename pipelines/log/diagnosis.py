"""Finds out why a log cannot be reached, where a Kafka client only reports "timeout".

A broker ends the connection of a client with a wrong password, and so does one that speaks another protocol; clients
try again until their time is over. So this module checks what can be seen with a plain connection: whether anything
listens, whether it speaks TLS, whether its certificate is one that our authority vouches for, and whether it answers
the first request of every client.
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
    """What a plain connection found. After `ANSWERS`, only a client that has connected can say what is wrong."""

    NO_ADDRESS = "no address"
    SILENT = "silent"
    MUTE = "mute"
    NOT_TLS = "not tls"
    UNTRUSTED = "untrusted"
    OTHER_NAME = "other name"
    ANSWERS = "answers"


def diagnose(bootstrap: Iterable[str], *, tls: bool, ca_file: str) -> Finding:
    """Returns the finding for the first broker reached among some addresses (host:port), or that none is reached."""
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
    """Whether any of the brokers speaks TLS; called if the settings do not use TLS."""
    context = ssl.create_default_context()
    # The certificate is not checked: nothing is sent, and the connection ends after the handshake.
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
    """Sends a first request and returns MUTE if nothing comes back in time; an ended connection counts as an answer."""
    try:
        connected.sendall(_VERSIONS)
        connected.recv(1)
    except TimeoutError:
        return Finding.MUTE
    except OSError:
        return Finding.ANSWERS
    return Finding.ANSWERS
