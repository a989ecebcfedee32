"""Finds the reasons why this end cannot connect in the lines of Zenoh's log, each once until a connection is made.

Zenoh tries again every second without a word, and names the reason in its log at level DEBUG only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

LOG_FILTER = "zenoh::net::runtime::orchestrator=debug"
_FAILED = re.compile(r"Unable to connect to configured peer (?P<to>\S+?)! (?P<reason>.*)")
_CONNECTED = re.compile(r"Successfully connected to configured peer (?P<to>\S+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Where in Zenoh's source it happened, and when it tries again.
_SOURCE = re.compile(r" at /\S+?\.rs:\d+\.?|\.? Retry in \S+|Can not create a new \S+ link bound to .*?: (?=\D)")
_VALID_FOR = re.compile(r"only valid for (?P<names>.*)")
# What is in Zenoh's reason -> what it means, and what to do. The first that fits.
_MEANINGS: Mapping[str, str] = {
    "not valid for name": "the certificate of the cloud is for another name; use that name in the endpoint, or make "
    "one with `privcam keys add cloud NAME --address HOST`",
    "certificate expired": "the certificate of the cloud has expired; run `privcam keys renew` for it",
    "not valid yet": "the certificate of the cloud is not valid yet; compare the clocks of both machines",
    "UnknownIssuer": "the certificate of the cloud is from another authority; copy both folders from the machine "
    "where `privcam keys` made them",
    "BadSignature": "the certificate of the cloud is from another authority of the same name; copy both folders from "
    "the machine where `privcam keys` made them",
    "alert": "the cloud refused the certificate of this end; look into its log",
    "refused": "nothing listens there; start the cloud, compare address and port",
    "lookup": "the host name is not known; compare it, or use an address",
    "No route": "there is no way to this address; look at the network of this machine",
    "unreachable": "there is no way to this address; look at the network of this machine",
    "timed out": "no reply from this address; look at the network, and at firewalls in between",
    "timeout": "no reply from this address; look at the network, and at firewalls in between",
}


@dataclass(frozen=True)
class ConnectEvent:
    """A new reason why the endpoint `to` cannot be reached; an empty reason: it is connected now."""

    to: str
    reason: str


class ConnectErrors:
    """Reads a log line by line."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def read(self, line: str) -> ConnectEvent | None:
        """Return what is new in a line: a reason that was not told since the last connection, or a connection."""
        line = _COLOUR.sub("", line)
        if found := _CONNECTED.search(line):
            self._told = {told for told in self._told if told[0] != found["to"]}
            return ConnectEvent(found["to"], "")
        if not (found := _FAILED.search(line)):
            return None
        event = ConnectEvent(found["to"], explain(found["reason"]))
        # Times in a reason differ with each attempt.
        key = event.to, re.sub(r"\d+", "", event.reason)
        if key in self._told:
            return None
        self._told.add(key)
        return event


def explain(text: str) -> str:
    """Return a reason of Zenoh's in plain words with what to do; one that is not known as it is, shortened."""
    text = "".join(c if c.isprintable() else "?" for c in _SOURCE.sub("", text)).strip(" .[]")
    for words, meaning in _MEANINGS.items():
        if words in text:
            names = _VALID_FOR.search(text)
            return f"{meaning} (it is for {names['names']})" if names else meaning
    return text[:300]
