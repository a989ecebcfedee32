"""Who is at the other ends of the connections of a session, and what changed; why nobody is."""

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from privcam_link.denials.connect_errors import explain
from privcam_link.denials.denial_log import DenialLog

# Of an attempt on this host: it is answered at once.
_LOOPBACK_TIMEOUT_S = 0.2


class Link(Protocol):
    """A connection, as Zenoh describes it: the address of the other end, and the name in its certificate."""

    @property
    def dst(self) -> object:
        """The address of the other end."""

    @property
    def auth_identifier(self) -> str | None:
        """The name in its certificate, None without one."""


def describe_links(links: Iterable[Link]) -> frozenset[str]:
    """Return one text for each connection: the name in the other end's certificate, if it has one, and its address."""
    named = ((link.auth_identifier, link.dst) for link in links)
    return frozenset(f"{name} at {address}" if name else str(address) for name, address in named)


class ConnectionChanges:
    """Tells each connection once when it is made, and once when it is gone."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()

    def update(self, now: frozenset[str]) -> Iterator[tuple[bool, str]]:
        """Yield (whether it was made, text) for every change since the last call."""
        for made, texts in ((True, now - self._known), (False, self._known - now)):
            for text in sorted(texts):
                yield made, text
        self._known = now


class EdgeConnections:
    """Tells what becomes of the connections of an edge to its clouds: each once.

    endpoints: of the clouds. log: of an end with certificates, None on the loopback.
    """

    def __init__(self, endpoints: Sequence[str], log: DenialLog | None) -> None:
        self._endpoints = endpoints
        self._log = log
        self._changes = ConnectionChanges()
        self._reasons: dict[str, str] = {}

    def update(self, now: frozenset[str]) -> Iterator[tuple[bool, str]]:
        """Yield (whether it is good, text) for every connection that was made or is gone, and each reason why not."""
        for made, text in self._changes.update(now):
            if made and len(now) >= len(self._endpoints):
                self._reasons.clear()
            yield made, f"connected: {text}" if made else f"connection gone: {text}"
        for endpoint, reason in self._events(is_connected=bool(now)):
            if reason and self._reasons.get(endpoint) != reason:
                yield False, f"cannot connect to {endpoint}: {reason}; trying again and again"
            self._reasons[endpoint] = reason

    def describe(self) -> str:
        """Return why the endpoints cannot be reached, as far as it is known."""
        return "; ".join(f"{endpoint}: {reason}" for endpoint, reason in self._reasons.items() if reason)

    def _events(self, *, is_connected: bool) -> list[tuple[str, str]]:
        if self._log is not None:
            return [(event.to, event.reason) for event in self._log.connect_events()]
        if is_connected:
            return []
        return [(endpoint, why_not_on_loopback(endpoint)) for endpoint in self._endpoints]


def why_not_on_loopback(endpoint: str) -> str:
    """Return why a tcp endpoint of this host cannot be reached, empty if something listens there."""
    host, _, port = endpoint.partition("/")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _LOOPBACK_TIMEOUT_S).close()
    except OSError as error:
        return explain(os.strerror(error.errno) if error.errno else str(error))
    return ""
