"""The way out for pictures of the room: none leaves before its exact bytes were searched for people.

The inspection takes longer than a frame, so it runs beside the frames. Until it is done the picture before goes on
being named, which has left already and tells nothing new.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privcam_core.images import FILL, encode_environment
from privcam_edge.privacy.engine import EngineResult
from privcam_edge.privacy.inspection import Finding
from privcam_edge.privacy.snapshot import NS
from privcam_edge.privacy.unsafe import BoolArray

Inspect = Callable[[bytes], Sequence[Finding]]

# Background that is not sure any more may be named this long while its successor is inspected, on a gateway that is
# busy with people. It has left before, so naming it tells nothing new; then nothing is shown.
PATIENCE_S = 10.0


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that may leave. png: RGBA, alpha is the validity plane (H, W). epoch: counts pictures, from 1."""

    png: bytes
    validity: BoolArray
    epoch: int


class Egress:
    """Lets pictures out of the edge, one camera's.

    inspect: searches the bytes of a picture for people. executor: where that runs; one that runs it at once makes the
    whole edge a function of its input. `inspected` counts pictures, `found` what was seen in them.
    """

    def __init__(self, inspect: Inspect, executor: Executor) -> None:
        self._inspect = inspect
        self._executor = executor
        self._running: Future[tuple[Picture, Sequence[Finding]]] | None = None
        self._asked = 0
        self._current: Picture | None = None
        self._stale_since_ns: int | None = None
        self.inspected = 0
        self.found = 0

    def __call__(self, result: EngineResult, stamp_ns: int) -> tuple[Picture, Sequence[Finding]]:
        """Return the picture that holds for this frame, and what was found in one that may not leave.

        Raises what the inspection raised; from then on nothing is shown until one succeeds.
        """
        shape = result.validity.shape
        if self._current is None or self._current.validity.shape != shape:
            self._show_nothing((shape[0], shape[1]))
        findings = self._collect()
        if self._running is None and result.epoch != self._asked:
            self._asked = result.epoch
            self._running = self._executor.submit(self._examine, result)
            findings = [*findings, *self._collect()]
        self._withdraw(result, stamp_ns)
        assert self._current is not None
        return self._current, findings

    @property
    def current(self) -> Picture | None:
        """The picture that holds now; None before the first frame."""
        return self._current

    @property
    def stale(self) -> bool:
        """Whether the current picture shows background that is not sure any more: its bytes must not be sent again."""
        return self._stale_since_ns is not None

    def _examine(self, result: EngineResult) -> tuple[Picture, Sequence[Finding]]:
        png = encode_environment(result.environment_plate, result.validity)
        return Picture(png, result.validity, 0), self._inspect(png)

    def _collect(self) -> Sequence[Finding]:
        """Take over the picture whose inspection is done, if nothing was found in it."""
        if self._running is None or not self._running.done():
            return []
        running, self._running = self._running, None
        try:
            picture, findings = running.result()
        except Exception:
            self._asked = 0
            if self._current is not None:
                height, width = self._current.validity.shape
                self._show_nothing((height, width))
            raise
        self.inspected += 1
        # A shape of nothing but fill has no pixel of anybody.
        serious = [finding for finding in findings if finding.valid_share > 0]
        self.found += len(serious)
        if not serious and self._current is not None and picture.validity.shape == self._current.validity.shape:
            self._current = Picture(picture.png, picture.validity, self._current.epoch + 1)
            self._stale_since_ns = None
        return serious

    def _withdraw(self, result: EngineResult, stamp_ns: int) -> None:
        """Show nothing when background that is not sure any more has been named for too long."""
        assert self._current is not None
        if not (self._current.validity & ~result.validity).any():
            self._stale_since_ns = None
            return
        if self._stale_since_ns is None:
            self._stale_since_ns = stamp_ns
        if not 0 <= stamp_ns - self._stale_since_ns < PATIENCE_S * NS:
            self._show_nothing((result.validity.shape[0], result.validity.shape[1]))

    def _show_nothing(self, shape: tuple[int, int]) -> None:
        plate: npt.NDArray[np.uint8] = np.full((*shape, 3), FILL, np.uint8)
        nothing = np.zeros(shape, np.bool_)
        # An epoch is never used twice, so that no receiver takes one picture for another.
        epoch = self._current.epoch + 1 if self._current else 1
        self._current = Picture(encode_environment(plate, nothing), nothing, epoch)
        self._stale_since_ns = None


class AtOnce(Executor):
    """Runs what is submitted before `submit` returns."""

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        """Run `fn` and return its finished future."""
        future: Future[object] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
