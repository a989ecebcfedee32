"""Finds where this process listens beyond the loopback, in the kernel's own tables: settings say what was meant."""

import ipaddress
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_SOCKET = re.compile(r"socket:\[(\d+)\]")
_TCP_LISTENS = "0A"
# Ports that the kernel gives to a socket that only sends: nobody knows them before.
_EPHEMERAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


def listening_beyond_loopback() -> list[str]:
    """Return `address:port` of each socket of this process that other hosts could reach: TCP that listens, and UDP.

    Raises OSError where the kernel's tables cannot be read.
    """
    own = set(_own_sockets())
    first, last = map(int, _EPHEMERAL_PORTS.read_text(encoding="ascii").split())
    found = set()
    for protocol in ("udp", "udp6", "tcp", "tcp6"):
        table = Path("/proc/self/net") / protocol
        if not table.exists():
            continue  # a kernel without IPv6
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            words = line.split()
            address, port = _read_address(words[1])
            reachable = words[3] == _TCP_LISTENS if protocol.startswith("tcp") else not first <= port <= last
            if words[9] in own and reachable and not _is_loopback(address):
                found.add(f"{address}:{port}")
    return sorted(found)


def _own_sockets() -> Iterator[str]:
    """Yield the inode of each socket of this process."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        try:
            match = _SOCKET.fullmatch(str(entry.readlink()))
        except FileNotFoundError:
            continue  # closed meanwhile
        if match is not None:
            yield match[1]


def _read_address(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """Return address and port. text: as the kernel writes it, in words of 32 bits in the order of this machine."""
    digits, port = text.split(":")
    words = [int(digits[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(digits), 8)]
    return ipaddress.ip_address(b"".join(words)), int(port, 16)


def _is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
