"""What a file of a bag holds, whichever storage it has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class UnusableBag(ValueError):
    """The bag cannot be used. Says what is wrong, what is in it, and what to do."""


@dataclass(frozen=True)
class Topic:
    """A topic in a bag. count: messages that can be read."""

    name: str
    msgtype: str
    count: int


class StoredMessage(NamedTuple):
    """A serialised message. stamp_ns: time of recording, ns since the epoch."""

    topic: str
    msgtype: str
    stamp_ns: int
    data: bytes


class StorageFile(Protocol):
    """One file of a bag, open. topics: what is in it. span_ns: times of the first and the last message."""

    topics: Sequence[Topic]
    span_ns: tuple[int, int]

    def messages(self, names: Sequence[str]) -> Iterator[StoredMessage]:
        """Yield the messages on the topics with these names."""


def count_topics(messages: Iterator[StoredMessage]) -> tuple[Sequence[Topic], tuple[int, int]]:
    """Return the topics of messages, and the times of the first and the last one in ns; zeros without any."""
    counts: dict[tuple[str, str], int] = {}
    span_ns: tuple[int, int] | None = None
    for topic, msgtype, stamp_ns, _ in messages:
        counts[topic, msgtype] = counts.get((topic, msgtype), 0) + 1
        span_ns = (stamp_ns, stamp_ns) if span_ns is None else (min(span_ns[0], stamp_ns), max(span_ns[1], stamp_ns))
    return [Topic(*key, count) for key, count in counts.items()], span_ns or (0, 0)
