"""A drawn room, a noisy camera and a privacy engine with a clock: what the tests of evidence share."""

from functools import cache

import cv2
import numpy as np

from privcam_core.types.perception import Detections, Track, TrackState
from privcam_privacy.background.engine import EngineResult, PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.evidence.approved_background import ApprovedState
from privcam_privacy.state.restoration import BackgroundState

SHAPE = (240, 320)
FPS = 5
STAND, LIE = (100, 40, 150, 200), (80, 140, 220, 200)
SHIRT = np.kron(np.random.default_rng(8).integers(0, 256, (60, 80, 3)).astype(np.uint8), np.ones((4, 4, 1), np.uint8))
BY_PLATE, TRANSIT = EngineSettings(), EngineSettings(evidence="transit")
# Half an hour of film takes a minute to compute. So the time is shortened here, not the power.
STILLNESS = EngineSettings(evidence="stillness", stillness_s=40.0)


@cache
def _read_only_room(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(60, 190, (30, 40, 3)).astype(np.uint8)
    drawn = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    drawn.flags.writeable = False
    return drawn


def room(seed: int = 3) -> np.ndarray:
    return _read_only_room(seed).copy()


def with_person(box: tuple[int, int, int, int], image: np.ndarray | None = None) -> np.ndarray:
    x0, y0, x1, y1 = box
    drawn = (room() if image is None else image).copy()
    drawn[y0:y1, x0:x1] = SHIRT[: y1 - y0, : x1 - x0]
    return drawn


def approved(image: np.ndarray | None = None, name: str = "day") -> ApprovedState:
    return ApprovedState(name, room() if image is None else image, np.ones(SHAPE, np.bool_))


def found(*boxes: tuple[int, int, int, int], score: float = 0.9) -> Detections:
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32))


def track(box: tuple[int, int, int, int], score: float = 0.9, subject_id: int = 1) -> Track:
    return Track(subject_id, tuple(map(float, box)), (0.0, 0.0, 0.0, 0.0), score, TrackState.CONFIRMED, 9, 9, 0)


def breathing(time_s: float, box: tuple[int, int, int, int] = LIE) -> np.ndarray:
    """The room with a sleeper who rises and falls by 0.3 px, every 4 s."""
    still = with_person(box).astype(np.float32)
    offset = 0.3 * np.sin(2 * np.pi * time_s / 4.0)
    x0, y0, x1, y1 = box
    beside = still[y0 - int(np.sign(offset)) : y1 - int(np.sign(offset)), x0:x1]
    still[y0:y1, x0:x1] = (1 - abs(offset)) * still[y0:y1, x0:x1] + abs(offset) * beside
    return still


class Film:
    """An engine with a clock and a noisy camera."""

    def __init__(self, settings: EngineSettings, *states: ApprovedState, start_s: float = 0.0) -> None:
        self.settings = settings
        self.engine = PrivacyEngine(settings, states)
        self.time_s = start_s
        self.noise = 1.5
        self.precision: type[np.float32] | type[np.float64] = np.float32
        self._rng = np.random.default_rng(11)

    def show(
        self,
        image: np.ndarray,
        seconds: float = 1 / FPS,
        detections: Detections | None = None,
        tracks: tuple[Track, ...] = (),
    ) -> EngineResult:
        for _ in range(max(1, round(seconds * FPS))):
            noise = self._rng.standard_normal(image.shape, self.precision) * self.precision(self.noise)
            # Rounded, and cut off at 0 and 255.
            noisy = cv2.add(image.astype(self.precision), noise, dtype=cv2.CV_8U)
            result = self.engine.update(
                noisy,
                found() if detections is None else detections,
                list(tracks),
                np.zeros(image.shape[:2], np.bool_),
                10**18 + round(self.time_s * 10**9),
            )
            self.time_s += 1 / FPS
        self.result = result
        return result

    def restarted(self, *states: ApprovedState) -> "Film":
        """Return a film 3 s later, of an engine that was started again with the stored state of this one."""
        later = Film(self.settings, *states, start_s=self.time_s + 3.0)
        state = BackgroundState(self.result.environment_plate, self.result.confirmed, self.engine.presences)
        later.engine.restore(state)
        return later

    def enter(self) -> "Film":
        """Somebody walks in, stands, and lies down, and is seen doing it."""
        for x in range(10, 100, 6):
            box = (x, 40, x + 50, 200)
            self.show(with_person(box), 1 / FPS, found(box), (track(box),))
        self.show(with_person(STAND), 1.0, found(STAND), (track(STAND),))
        self.show(with_person(LIE), 4.0, found(LIE, score=0.4), (track(LIE),))
        return self

    def shown_of_person(self, box: tuple[int, int, int, int], image: np.ndarray | None = None) -> float:
        """Return the fraction of the pixels of a person that are in the environment."""
        x0, y0, x1, y1 = box
        part = np.s_[y0:y1, x0:x1]
        person = (with_person(box) if image is None else image)[part].astype(int)
        near = np.abs(self.result.environment_plate[part].astype(int) - person).max(axis=2) < 15
        empty = np.abs(room()[part].astype(int) - person).max(axis=2) < 30
        return float((near & self.result.confirmed[part] & ~empty).mean())
