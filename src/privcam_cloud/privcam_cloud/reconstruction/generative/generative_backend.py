"""Generates pictures of people beside the contour, on a thread of its own that never delays the screen.

`safety_check` has the checks before a picture is shown. A picture is shown only while it fits the present scene;
otherwise the contour is shown, with a `Reason`.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from privcam_cloud.reconstruction.generative.pose_conditioning import PoseCondition, cover_heads
from privcam_cloud.reconstruction.reconstruction_input import ReconstructionInput
from privcam_core.niceness import BESIDE_NICENESS, be_nice
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.time import NS_PER_S

# A step of a large model takes seconds; the end of the program waits for at most this, in s.
_END_S = 5.0


class Reason(Enum):
    """Why the contour is shown and not a generated picture."""

    LOADING = "the generative model is being loaded"
    WAITING = "no generated picture yet"
    NO_ROOM = "the picture of the room has not come"
    NOBODY = "nobody is to be drawn"
    NO_POSTURE = "the posture of a subject is not known"
    OLD = "the generated picture is too old"
    OTHER_ROOM = "the generated picture shows a part of the room that is not shown any more"
    ALARM = "an alarm is newer than the generated picture"
    NO_MODEL = "the generative model is missing"
    OUT_OF_TIME = "the generative model takes too long"
    OUT_OF_MEMORY = "the generative model needs more memory than there is"
    NOT_FINITE = "the generative model painted no picture: it holds NaN"
    REFUSED = "the generated picture failed its inspection"
    CRASHED = "the generative model failed"

    @property
    def is_fault(self) -> bool:
        """Whether it needs the attention of an operator."""
        return self in _FAULTS


_FAULTS = (
    *(Reason.NO_MODEL, Reason.OUT_OF_TIME, Reason.OUT_OF_MEMORY),
    *(Reason.NOT_FINITE, Reason.REFUSED, Reason.CRASHED),
)


class NotShown(Exception):
    """A picture was not made, or may not be shown. detail: one line for the log."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, eq=False)
class Picture:
    """A generated picture of a scene that may be shown: Î, (H, W, 3) uint8 BGR. painted: (H, W) bool, by the model."""

    scene: ReconstructionInput
    image: Image
    painted: BoolArray


class Generator(Protocol):
    """Makes pictures; `GenerationPipeline` is the one in use."""

    def generate(self, scene: ReconstructionInput, check: Callable[[], None]) -> Picture:
        """Return the picture of a scene. check: to be called often; raises NotShown where it has taken too long.

        Raises: NotShown. MemoryError. What else it raises is counted as a crash.
        """
        ...


def compose(
    scene: ReconstructionInput,
    painted: npt.NDArray[np.floating],
    paintable: BoolArray,
    conditions: Sequence[PoseCondition],
) -> Image:
    """Return Î, (H, W, 3) uint8 BGR: what the model painted where it may paint, with plain heads; Ī everywhere else.

    painted: (h, w, 3) BGR, [0, 1]. Raises: NotShown where that holds a number that is not finite.
    """
    if not np.isfinite(painted).all():
        raise NotShown(Reason.NOT_FINITE)
    height, width = paintable.shape
    people = cv2.resize((painted.clip(0, 1) * 255).round().astype(np.uint8), (width, height))
    picture = np.asarray(people, np.uint8)
    cover_heads(picture, conditions)
    return np.where(paintable[..., None], picture, scene.environment)


def misfit(picture: Picture, now: ReconstructionInput, fresh_s: float) -> Reason | None:
    """Return why a picture cannot be shown now; None if it can. fresh_s: how old it may be, camera time.

    Privacy: what the edge has withdrawn from the room since then is not shown again.
    """
    age_s = (now.key.stamp_ns - picture.scene.key.stamp_ns) / NS_PER_S
    if not 0 <= age_s <= fresh_s:
        return Reason.OLD
    known = picture.scene.confirmed_mask
    if known.shape != now.confirmed_mask.shape or (known & ~now.confirmed_mask).any():
        return Reason.OTHER_ROOM
    if now.alarms() - picture.scene.alarms():
        return Reason.ALARM
    return None


class GenerativeBackend:
    """Paints scenes in a thread of its own. All methods return at once and are for one other thread.

    make: loads the generator, in that thread; raises NotShown for a model that cannot be loaded. period_s: between
    the starts of two pictures. budget_s: for one picture. fresh_s: how old a shown picture may be.
    `counts` has "generated" and, by name in small letters, the faults. `detail` says what the last fault was.
    """

    def __init__(self, make: Callable[[], Generator], *, period_s: float, budget_s: float, fresh_s: float) -> None:
        self._make = make
        self._period_s, self._budget_s, self._fresh_s = period_s, budget_s, fresh_s
        self._changed = threading.Condition()
        self._ending = False
        self._ready = False
        self._wanted: ReconstructionInput | None = None
        self._started_s: float | None = None  # of the picture that is being painted
        self._last_s = -period_s
        self._fault: Reason | None = None
        self._picture: Picture | None = None
        self.counts: Counter[str] = Counter()
        self.detail = ""
        # A model that hangs must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="generative", daemon=True)
        self._thread.start()

    def offer(self, scene: ReconstructionInput) -> None:
        """Let the scene be painted if nothing else is, and the time for the next picture has come."""
        now_s = time.monotonic()
        with self._changed:
            idle = self._ready and self._started_s is None and self._wanted is None
            if idle and scene.poses and now_s - self._last_s >= self._period_s:
                self._wanted, self._last_s = scene, now_s
                self._changed.notify()

    def picture(self, now: ReconstructionInput) -> Picture | Reason:
        """Return the picture that fits what is known now, or why there is none."""
        with self._changed:
            if not now.poses:
                return Reason.NOBODY
            unfit = misfit(self._picture, now, self._fresh_s) if self._picture else Reason.WAITING
            if self._picture and unfit is None:
                return self._picture
            if self._started_s is not None and time.monotonic() - self._started_s > self._budget_s:
                return Reason.OUT_OF_TIME
            if self._fault is not None:
                return self._fault
            return (unfit or Reason.WAITING) if self._ready else Reason.LOADING

    def stop(self) -> None:
        """End the thread; wait for it a moment only."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(_END_S)

    def _run(self) -> None:
        with suppress(OSError):  # some other limit on niceness: then it runs as all others do
            be_nice(BESIDE_NICENESS)
        try:
            generator = self._make()
        except NotShown as error:
            self._fail(error.reason, error.detail)
            return
        except Exception as error:
            self._fail(Reason.CRASHED, f"while it was loaded: {type(error).__name__}: {error}")
            return
        with self._changed:
            self._ready = True
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ending or self._wanted is not None)
                if self._ending or self._wanted is None:
                    return
                scene, self._wanted, self._started_s = self._wanted, None, time.monotonic()
            self._try(generator, scene)
            with self._changed:
                self._started_s = None

    def _try(self, generator: Generator, scene: ReconstructionInput) -> None:
        try:
            picture = generator.generate(scene, self._check)
            self._check()
        except NotShown as error:
            self._fail(error.reason, error.detail)
        except MemoryError as error:
            self._fail(Reason.OUT_OF_MEMORY, f"{error or 'no memory'}; choose a smaller model")
        except Exception as error:  # whatever a model does, the contour goes on
            self._fail(Reason.CRASHED, f"{type(error).__name__}: {error}")
        else:
            with self._changed:
                self._picture, self._fault = picture, None
                self.counts["generated"] += 1

    def _check(self) -> None:
        """Raise NotShown when the picture that is being painted has taken too long, or nobody needs it any more."""
        if self._ending or self._started_s is None or time.monotonic() - self._started_s > self._budget_s:
            raise NotShown(Reason.OUT_OF_TIME, f"no picture within {self._budget_s:g} s")

    def _fail(self, reason: Reason, detail: str) -> None:
        with self._changed:
            self._fault, self.detail = reason, detail
            if reason.is_fault:
                self.counts[reason.name.lower()] += 1
