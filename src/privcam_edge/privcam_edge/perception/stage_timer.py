"""Measures how long each stage of a pipeline takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StageTimer:
    """Collects the seconds of each stage by its name, one value per frame, in the order of the stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the `with` block takes to the times of this stage; a block that raises adds nothing."""
        started = time.perf_counter()
        yield
        self.seconds.setdefault(stage, []).append(time.perf_counter() - started)
