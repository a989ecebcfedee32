"""The way out for pictures of the room: no picture leaves before its exact bytes were searched for people.

The inspection takes longer than a frame, so it runs beside the frames, and as seldom as it can: it costs as much as the
rest of the edge in ten frames. Until it finishes, Ω keeps referencing the previous picture, which has left already and
gives nothing new away. Background that is no longer confirmed is taken out of that picture without another inspection:
less of a picture in which nobody was found shows nobody.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from contextlib import nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Protocol

import numpy as np

from privcam_core.detection.inspection import SensitiveDetection
from privcam_core.images.environment import FILL, encode_environment
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.boxes import pixel_slices
from privcam_core.types.time import ns_from_seconds
from privcam_privacy.background.engine import EngineResult
from privcam_privacy.background.exclusion_masks import Margins
from privcam_privacy.egress.approved_content import ApprovedContent
from privcam_privacy.egress.inspection_rest import LARGE_CHANGE_FRACTION, SMALL_CHANGE_FRACTION, InspectionRest
from privcam_privacy.egress.tile_reuse import TileReuse

# Background that is no longer confirmed is taken out of the picture at most this often: every picture is encoded and
# sent. It has left before, too.
WITHDRAW_S = 1.0
# New background of this fraction of the picture is inspected at once; less, or the same in another light, this often.
_LARGE_FRACTION = 0.02
_SMALL_CHANGE_S = 10.0
# A blanked region is a new shape, so the rest is searched again. A picture with detections after so many rounds is
# withheld.
MAX_ROUNDS = 6
# A person found with this score is quarantined ...
QUARANTINE_PERSON_SCORE = 0.45
# ... and a face with this score ...
QUARANTINE_FACE_SCORE = 0.7
# ... if at least this fraction of its box is confirmed background. A weaker detection is blanked only in pictures that
# contain it, because chairs and the outlines of blanked regions come and go.
QUARANTINE_FRACTION = 0.9


class Inspector(Protocol):
    """Searches pictures for people: `EgressInspector` of privcam_core, or `NoInspection`."""

    def inspect(self, png: bytes) -> Sequence[SensitiveDetection]:
        """Return the persons and faces in the exact bytes of an environment PNG."""


class NoInspection:
    """The inspector of modes whose pictures are not inspected: an operator approved them, or they leak anyway."""

    def inspect(self, png: bytes) -> Sequence[SensitiveDetection]:  # noqa: ARG002
        """Return no detections."""
        return []


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that may leave.

    plate: (H, W, 3) pixels, FILL where not confirmed (H, W). png: the same as RGBA, alpha is the confirmed mask. epoch:
    counts pictures, from 1. inspected: SHA-256 of the bytes in which the inspection found nobody, or that are less of a
    picture in which it did not; the gate lets no other bytes pass.
    """

    plate: Image
    confirmed: BoolArray
    png: bytes
    epoch: int
    inspected: bytes


class Egress:
    """Releases the pictures of one camera.

    inspector: searches the bytes of a picture for people. executor: where the inspection runs, one picture at a time;
    with an `InlineExecutor`, the whole edge is a function of its input. margins: how far around a detection is blanked.
    tile_reuse: reuses published tiles that are nearly equal; None publishes every picture as it is. approved: what may
    be shown although somebody is found in it; None for nothing. rest: between two inspections; None for none, so that
    what is inspected is a function of the input. `inspected` counts pictures, `found` counts detections that were
    blanked.
    """

    def __init__(
        self,
        inspector: Inspector,
        executor: Executor,
        margins: Margins | None = None,
        tile_reuse: TileReuse | None = None,
        approved: ApprovedContent | None = None,
        rest: InspectionRest | None = None,
    ) -> None:
        self._inspector = inspector
        self._approved = approved or ApprovedContent(())
        self._executor = executor
        self._rest = rest
        self._tile_reuse = tile_reuse
        self._margins = margins or Margins()
        self._running: Future[tuple[Picture, Sequence[SensitiveDetection]]] | None = None
        self._submitted_epoch = 0
        self._submitted_ns: int | None = None
        # What was confirmed when the last picture was submitted, and has been since: nothing new.
        self._considered: BoolArray = np.zeros((0, 0), np.bool_)
        self._current: Picture | None = None
        self._withdrawn_ns: int | None = None
        self._stale = False
        self.inspected = 0
        self.found = 0

    def update(self, result: EngineResult, stamp_ns: int) -> tuple[Picture, Sequence[SensitiveDetection]]:
        """Return the picture that holds for this frame, and the detections that have to be quarantined.

        Raises the exception of a failed inspection. Then everything is withheld until an inspection succeeds.
        """
        shape = result.confirmed.shape
        if self._current is None or self._current.confirmed.shape != shape:
            self._withhold_all((shape[0], shape[1]))
        certain = self._collect()
        self._considered = self._considered & result.confirmed
        # What was computed before a finding is quarantined shows the finding again.
        if (
            not certain
            and self._running is None
            and result.epoch != self._submitted_epoch
            and self._is_worth(result, stamp_ns)
        ):
            self._submitted_epoch, self._submitted_ns = result.epoch, stamp_ns
            self._considered = result.confirmed.copy()
            self._running = self._executor.submit(self._measured, result)
            certain = [*certain, *self._collect()]
        self._withdraw(result, stamp_ns)
        assert self._current is not None
        return self._current, certain

    @property
    def current(self) -> Picture | None:
        """The picture that holds now; None before the first frame."""
        return self._current

    @property
    def stale(self) -> bool:
        """Whether the current picture has background that is no longer confirmed: its bytes must not be sent again."""
        return self._stale

    def _is_worth(self, result: EngineResult, stamp_ns: int) -> bool:
        """Return whether an inspection costs nothing, or one is due and the last one was long enough ago for it."""
        if isinstance(self._inspector, NoInspection):
            return True
        gained = float((result.confirmed & ~self._considered).mean())
        core_fraction = LARGE_CHANGE_FRACTION
        if self._submitted_ns is not None and gained < _LARGE_FRACTION:
            if 0 <= stamp_ns - self._submitted_ns < ns_from_seconds(_SMALL_CHANGE_S):
                return False
            core_fraction = SMALL_CHANGE_FRACTION
        return self._rest is None or self._rest.is_over(core_fraction)

    def _withdraw(self, result: EngineResult, stamp_ns: int) -> None:
        """Take the background that is no longer confirmed out of the current picture."""
        assert self._current is not None
        kept = self._current.confirmed & result.confirmed
        self._stale = bool(np.count_nonzero(kept) < np.count_nonzero(self._current.confirmed))
        if not self._stale:
            return
        if self._withdrawn_ns is not None and 0 <= stamp_ns - self._withdrawn_ns < ns_from_seconds(WITHDRAW_S):
            return
        self._withdrawn_ns = stamp_ns
        plate = np.where(kept[..., None], self._current.plate, np.uint8(FILL))
        self._current, self._stale = _picture(plate, kept, self._current.epoch + 1), False

    def _measured(self, result: EngineResult) -> tuple[Picture, Sequence[SensitiveDetection]]:
        with self._rest.measure() if self._rest else nullcontext():
            return self._examine(result)

    def _examine(self, result: EngineResult) -> tuple[Picture, Sequence[SensitiveDetection]]:
        """Return the picture without anything that may be a person, and the detections that have to be quarantined."""
        plate, confirmed = result.environment_plate.copy(), result.confirmed.copy()
        if self._tile_reuse is not None:
            plate = self._tile_reuse.apply(plate, confirmed)
        certain: list[SensitiveDetection] = []
        for _ in range(MAX_ROUNDS):
            picture = _picture(plate, confirmed, 0)
            detections = self._search(picture)
            if not detections:
                if self._tile_reuse is not None and not certain:
                    self._tile_reuse.store(plate, confirmed)
                return picture, certain
            self.found += len(detections)
            certain += [detection for detection in detections if _must_be_quarantined(detection)]
            for detection in detections:
                self._blank(detection, plate, confirmed)
        return withheld_picture((confirmed.shape[0], confirmed.shape[1]), 0), certain

    def _search(self, picture: Picture) -> list[SensitiveDetection]:
        """Return what may be a person: no shape that is all fill, and no furniture that an operator approved."""
        found = [one for one in self._inspector.inspect(picture.png) if one.confirmed_fraction > 0]
        covered = self._approved.covers(picture.plate, picture.confirmed, [one.box for one in found])
        return [one for one, is_covered in zip(found, covered, strict=True) if not is_covered]

    def _blank(self, detection: SensitiveDetection, plate: Image, confirmed: BoolArray) -> None:
        """Fill the box of a detection with its margins, rounded outwards, in both arrays."""
        height, width = confirmed.shape
        part = pixel_slices(self._margins.widen(detection.box, height), height, width)
        plate[part] = FILL
        confirmed[part] = False

    def _collect(self) -> Sequence[SensitiveDetection]:
        """Take over the picture whose inspection is finished, and return the detections that have to be quarantined."""
        if self._running is None or not self._running.done():
            return []
        running, self._running = self._running, None
        assert self._current is not None
        height, width = self._current.confirmed.shape
        try:
            picture, certain = running.result()
        except Exception:
            self._submitted_epoch, self._submitted_ns = 0, None
            self._withhold_all((height, width))
            raise
        self.inspected += 1
        if certain:
            # Parts of them that the box cut off are beside it. The next picture comes without these, and at once.
            self._submitted_epoch, self._submitted_ns = 0, None
            plate, confirmed = self._current.plate.copy(), self._current.confirmed.copy()
            for detection in certain:
                self._blank(detection, plate, confirmed)
            self._current = _picture(plate, confirmed, self._current.epoch + 1)
            return certain
        if picture.confirmed.shape == (height, width) and picture.png != self._current.png:
            self._current = replace(picture, epoch=self._current.epoch + 1)
            # What was confirmed when the inspection began may not be any more, and this has not left before.
            self._withdrawn_ns = None
        return certain

    def _withhold_all(self, shape: tuple[int, int]) -> None:
        # An epoch is never used twice, so that no receiver takes one picture for another.
        self._current = withheld_picture(shape, self._current.epoch + 1 if self._current else 1)
        self._considered = np.zeros(shape, np.bool_)
        self._submitted_ns = None


def withheld_picture(shape: tuple[int, int], epoch: int) -> Picture:
    """Return a picture of `shape` (H, W) that is all fill."""
    return _picture(np.full((*shape, 3), FILL, np.uint8), np.zeros(shape, np.bool_), epoch)


def _picture(plate: Image, confirmed: BoolArray, epoch: int) -> Picture:
    png = encode_environment(plate, confirmed)
    # The plate is blanked further where somebody is found in it.
    return Picture(plate.copy(), confirmed.copy(), png, epoch, sha256(png).digest())


def _must_be_quarantined(detection: SensitiveDetection) -> bool:
    min_score = QUARANTINE_FACE_SCORE if detection.kind == "face" else QUARANTINE_PERSON_SCORE
    return detection.score >= min_score and detection.confirmed_fraction >= QUARANTINE_FRACTION
