"""Runs the models of an audit once for the same pixels: scenarios, kinds of evidence and the counterfactual share them.

Most scenarios begin with the same frames, and the kinds of evidence often lead to the same picture. Results (boxes and
poses, no pixels) are kept by the digest of the pixels, in memory and in bounded number. An edge keeps nothing.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, TypeVar, cast

from privcam_core.detection.inspection import EgressInspector, SensitiveDetection
from privcam_core.detection.person_detector import PersonDetector
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SubjectPose
from privcam_core.types.perception import Detections, Track

_MAX_RESULTS = 30_000
T = TypeVar("T")


class SharedModels:
    """Detector, poses and inspections of all runs of one audit. threads: processor cores of each model."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._detector = PersonDetector(threads=threads)
        self._kept: OrderedDict[tuple[str, bytes], Any] = OrderedDict()
        self._counts: Counter[str] = Counter()

    def detect(self, image: Image) -> Detections:
        """Return the people in a (H, W, 3) picture."""
        return self.share("detections", lambda: self._detector.detect(image), image.tobytes())

    def poses(
        self, image: Image, tracks: Sequence[Track], estimate: Callable[[], list[SubjectPose]]
    ) -> list[SubjectPose]:
        """Return the poses of the tracks in a picture; `estimate` computes them where they are not known.

        An estimator remembers how bodies lie; after a reused result it remembers an older frame.
        """
        where = repr([(track.subject_id, track.box, track.state) for track in tracks])
        return self.share("poses", estimate, image.tobytes(), where.encode())

    def inspector(self) -> "SharedInspector":
        """Return an inspection for the edges with one kind of evidence."""
        return SharedInspector(self, EgressInspector(threads=self._threads))

    def share(self, kind: str, compute: Callable[[], T], *data: bytes) -> T:
        """Return the result that is kept for these bytes, or that of `compute`."""
        digest = blake2b(digest_size=16)
        for part in data:
            digest.update(part)
        key = kind, digest.digest()
        known = key in self._kept
        self._counts[f"{kind} {'reused' if known else 'computed'}"] += 1
        if known:
            self._kept.move_to_end(key)
        else:
            self._kept[key] = compute()
            if len(self._kept) > _MAX_RESULTS:
                self._kept.popitem(last=False)
        return cast(T, self._kept[key])

    @property
    def summary(self) -> str:
        """How many results were computed and reused."""
        return ", ".join(f"{count} {what}" for what, count in sorted(self._counts.items()))


class SharedInspector:
    """The inspection of what leaves, once for each picture. `inspector` also keeps the tiles of its last picture."""

    def __init__(self, models: SharedModels, inspector: EgressInspector) -> None:
        self._models, self._inspector = models, inspector

    def inspect(self, png: bytes) -> Sequence[SensitiveDetection]:
        """Return the persons and faces in the exact bytes of an environment PNG."""
        return self._models.share("inspections", lambda: self._inspector.inspect(png), png)
