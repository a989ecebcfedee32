"""The way out for pictures of the room: none leaves before its exact bytes were searched for people.

The inspection takes longer than a frame, so it runs beside the frames. Until it is done the picture before goes on
being named, which has left already and tells nothing new.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privcam_core.detection.inspection import Finding
from privcam_core.images.environment import FILL, encode_environment
from privcam_privacy.background.engine import EngineResult
from privcam_privacy.background.exclusion_masks import BoolArray, Margins
from privcam_privacy.background.snapshot import NS
from privcam_privacy.background.tile_reuse import Steady

Inspect = Callable[[bytes], Sequence[Finding]]

# Background that is not sure any more may be named this long while its successor is inspected, on a gateway that is
# busy with people. It has left before, so naming it tells nothing new; then nothing is shown.
PATIENCE_S = 10.0
# A blanked part is a new shape, so what is left is searched again. A picture with findings after so many times shows
# nothing.
ROUNDS = 6
# A finding of this score in a part of the picture that is shown as good as whole is somebody, and quarantined. A
# weaker one is blanked for as long as it is found, because chairs and the outlines of blanked parts come and go.
SURE_PERSON, SURE_FACE, SURE_SHARE = 0.45, 0.7, 0.9


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that may leave. png: RGBA, alpha is the validity plane (H, W). epoch: counts pictures, from 1."""

    png: bytes
    validity: BoolArray
    epoch: int


class Egress:
    """Lets pictures out of the edge, one camera's.

    inspect: searches the bytes of a picture for people. executor: where that runs, one picture at a time; one that
    runs it at once makes the whole edge a function of its input. margins: how far around a finding is blanked. steady:
    what was shown is shown again while it is as good as equal; None shows every picture as it is. `inspected` counts
    pictures, `found` what was seen in them and blanked.
    """

    def __init__(
        self, inspect: Inspect, executor: Executor, margins: Margins | None = None, steady: Steady | None = None
    ) -> None:
        self._inspect = inspect
        self._executor = executor
        self._steady = steady
        self._margins = margins or Margins()
        self._running: Future[tuple[Picture, Sequence[Finding]]] | None = None
        self._asked = 0
        self._current: Picture | None = None
        self._stale_since_ns: int | None = None
        self.inspected = 0
        self.found = 0

    def __call__(self, result: EngineResult, stamp_ns: int) -> tuple[Picture, Sequence[Finding]]:
        """Return the picture that holds for this frame, and who was found for sure and has to be quarantined.

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
        """Return the picture with all blank that may be somebody, and who must be quarantined."""
        plate, validity = result.environment_plate.copy(), result.validity.copy()
        if self._steady is not None:
            plate = self._steady(plate, validity)
        sure: list[Finding] = []
        for _ in range(ROUNDS):
            png = encode_environment(plate, validity)
            # A shape of nothing but fill has no pixel of anybody.
            findings = [finding for finding in self._inspect(png) if finding.valid_share > 0]
            if not findings:
                if self._steady is not None:
                    self._steady.remember(plate, validity)
                return Picture(png, validity, 0), sure
            self.found += len(findings)
            sure += [finding for finding in findings if _is_sure(finding)]
            for finding in findings:
                x0, y0, x1, y1 = (round(v) for v in self._margins.widen(finding.box, validity.shape[0]))
                part = slice(max(y0, 0), max(y1, 0)), slice(max(x0, 0), max(x1, 0))
                plate[part], validity[part] = FILL, False
        return nothing_shown((validity.shape[0], validity.shape[1]), 0), sure

    def _collect(self) -> Sequence[Finding]:
        """Take over the picture whose inspection is done."""
        if self._running is None or not self._running.done():
            return []
        running, self._running = self._running, None
        assert self._current is not None
        height, width = self._current.validity.shape
        try:
            picture, sure = running.result()
        except Exception:
            self._asked = 0
            self._show_nothing((height, width))
            raise
        self.inspected += 1
        if picture.validity.shape == (height, width) and picture.png != self._current.png:
            self._current = Picture(picture.png, picture.validity, self._current.epoch + 1)
        self._stale_since_ns = None
        return sure

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
        # An epoch is never used twice, so that no receiver takes one picture for another.
        self._current = nothing_shown(shape, self._current.epoch + 1 if self._current else 1)
        self._stale_since_ns = None


def nothing_shown(shape: tuple[int, int], epoch: int) -> Picture:
    """Return a picture of `shape` (H, W) that is all fill."""
    plate: npt.NDArray[np.uint8] = np.full((*shape, 3), FILL, np.uint8)
    nobody = np.zeros(shape, np.bool_)
    return Picture(encode_environment(plate, nobody), nobody, epoch)


def _is_sure(finding: Finding) -> bool:
    least = SURE_FACE if finding.kind == "face" else SURE_PERSON
    return finding.score >= least and finding.valid_share >= SURE_SHARE


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
