"""Where processes really listen, as the system tells it."""

import ipaddress
from collections.abc import Iterable

import psutil


def listeners(pids: Iterable[int]) -> dict[int, str]:
    """The address at each port at which some processes listen; those that have ended listen nowhere."""
    found: dict[int, str] = {}
    for pid in pids:
        try:
            connections = psutil.Process(pid).net_connections(kind="inet")
        except psutil.NoSuchProcess:
            continue
        found |= {one.laddr.port: one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}
    return found


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def reached_from_outside(found: dict[int, str]) -> dict[int, str]:
    """Those listeners that are not on a loopback address."""
    return {port: address for port, address in found.items() if not _is_loopback(address)}


def _is_loopback(address: str) -> bool:
    # Java listens at IPv4's loopback address by the name that IPv6 has for it.
    return ipaddress.ip_address(address.removeprefix("::ffff:")).is_loopback
