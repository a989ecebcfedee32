"""Adds up the processor time that the networks of this process take: the least that a frame can cost."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

_SPENT: Counter[str] = Counter()
# A list, so that it can be changed from a function.
_IS_MEASURED = [False]


def measure_networks(*, on: bool) -> None:
    """Begin or end to measure. To read the clock costs up to 0.3 ms in a virtual machine, so it is off."""
    _IS_MEASURED[0] = on


@contextmanager
def counted(network: str) -> Iterator[None]:
    """Add the processor time of the `with` block, of all threads of the process, to that of a network."""
    if not _IS_MEASURED[0]:
        yield
        return
    started = time.process_time_ns()
    try:
        yield
    finally:
        _SPENT[network] += time.process_time_ns() - started


def network_seconds() -> dict[str, float]:
    """Return the processor seconds of each network while they were measured."""
    return {network: spent_ns / 1e9 for network, spent_ns in _SPENT.items()}
