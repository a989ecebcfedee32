"""Recognition attack: searches the output of the edge for the faces of the people in the clip.

The attacker has photos of the people: the faces of the raw frames. What leaves is searched with them, and with the
faces of strangers as well: on floors and curtains a descriptor answers at random, and strangers show how often.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from privcam_audit.attacks.face_descriptor import (
    DIMENSIONS,
    FaceDescriptor,
    Window,
    grid_windows,
    head_windows,
    touched,
)
from privcam_audit.audit_part import AuditPart
from privcam_core.detection.face_detector import FaceDetector
from privcam_core.detection.person_detector import suppress_non_maxima
from privcam_core.detection.tiling import TiledDetector, grid
from privcam_core.types.arrays import Float32Array, Image
from privcam_core.types.omega import SubjectPose
from privcam_core.types.perception import Detections
from privcam_evaluation.plotting import BLUE, GREY, ORANGE, plt

# A raw face counts as a photo of a person from this score and width on: below, hair and knees are among them.
PHOTO_SCORE, PHOTO_WIDTH_PX = 0.8, 14
# Windows are put on everything in what leaves that scores this as a face, and on so many of them at most.
LOW_SCORE, MAX_FACES = 0.1, 8
# Environments are searched with all sliding windows wherever they are new. The proxies in Ĩ move all the time: of the
# windows that touch them so many are drawn in each frame.
MAX_SLIDING = 60
# A pixel is new if it differs by more than this in a channel, the same limit as that of the leak test.
_TOLERANCE = 8
# Photos a clip, spread over it. As many of strangers.
MAX_PHOTOS = 16
# The same attack on raw frames takes photos from the start of the clip and searches its end.
EARLY, LATE = 0.45, 0.55
_TILES_PER_SIDE = 3
_SEED = 0


@dataclass
class _Clip:
    """What was seen of one clip. photos, raw: (number of the frame, unit vectors). leaves: unit vectors."""

    frames: int = 0
    photos: list[tuple[int, Float32Array]] = field(default_factory=list)
    raw: list[tuple[int, Float32Array]] = field(default_factory=list)
    leaves: list[npt.NDArray[np.float16]] = field(default_factory=list)
    seen: Image | None = None

    def gallery(self, upto: float = 1.0) -> Float32Array:
        """Return (N, D) photos of the first part of the clip."""
        own = [vector for frame, vector in self.photos if frame <= upto * self.frames]
        chosen = np.unique(np.linspace(0, len(own) - 1, MAX_PHOTOS).round().astype(int)) if own else []
        return np.array([own[i] for i in chosen], np.float32).reshape(-1, DIMENSIONS)

    def windows(self) -> Float32Array:
        """Return (N, D) windows of all that left."""
        return np.concatenate(self.leaves).astype(np.float32) if self.leaves else np.empty((0, DIMENSIONS), np.float32)

    def late_raw(self) -> Float32Array:
        """Return (N, D) windows of the raw frames of the end of the clip."""
        late = [vectors for frame, vectors in self.raw if frame >= LATE * self.frames]
        return np.concatenate(late) if late else np.empty((0, DIMENSIONS), np.float32)


@dataclass
class _Search:
    """Counts of one search. best: highest cosine of each window."""

    comparisons: int = 0
    matches: int = 0
    best: list[float] = field(default_factory=list)

    def add(self, windows: Float32Array, gallery: Float32Array, threshold: float) -> None:
        """Count the windows that match at least one face of the gallery."""
        if not len(windows) or not len(gallery):
            return
        best = (windows @ gallery.T).max(1)
        self.comparisons += len(windows) * len(gallery)
        self.matches += int((best > threshold).sum())
        self.best += best.tolist()


class RecognitionAttack:
    """Give it frames of each clip with what left of them, then ask for the part."""

    def __init__(self, threads: int = 1) -> None:
        """Load the models. Raises ModelError where one is missing."""
        self._descriptor = FaceDescriptor(threads)
        self._face_detector = FaceDetector("face_full", LOW_SCORE, threads)
        self._random = np.random.default_rng(_SEED)
        self._clips: dict[str, _Clip] = {}

    def observe(
        self, clip: str, raw: Image, environment: Image, anonymous: Image, subjects: Sequence[SubjectPose]
    ) -> None:
        """Take one frame of a clip, in the order of time; two in a second are enough.

        raw, environment (as the cloud decodes it), anonymous (Ĩ): (H, W, 3) uint8 BGR of one size. subjects: the poses
        as the edge found them, which say where the heads were.
        """
        state = self._clips.setdefault(clip, _Clip())
        state.frames += 1
        heads, found = head_windows(subjects), self._faces(raw)
        large = (found.scores >= PHOTO_SCORE) & (found.boxes[:, 2] - found.boxes[:, 0] >= PHOTO_WIDTH_PX)
        photos = self._descriptor.describe(raw, [self._descriptor.around(box) for box in found.boxes[large]])
        state.photos += [(state.frames, vector) for vector in photos]
        state.raw.append((state.frames, self._descriptor.describe(raw, [*heads, *self._suspects(found)])))
        before = np.zeros((), np.uint8) if state.seen is None else state.seen
        fresh = np.full(raw.shape[:2], True) if state.seen is None else _differs(environment, before)
        self._search(state, environment, fresh, heads)
        # The rest of Ĩ is the environment, which is searched above.
        self._search(state, anonymous, _differs(anonymous, environment), heads, MAX_SLIDING)
        state.seen = np.where(fresh[..., None], environment, before)

    def _search(
        self,
        state: _Clip,
        picture: Image,
        part: npt.NDArray[np.bool_],
        heads: Sequence[Window],
        limit: int | None = None,
    ) -> None:
        """Describe windows of a picture that touch `part`, (H, W); at most `limit` of the sliding ones, all if None."""
        if not part.any():
            return
        sliding = touched(grid_windows(*part.shape), part)
        if limit is not None and len(sliding) > limit:
            sliding = [sliding[i] for i in self._random.choice(len(sliding), limit, replace=False)]
        aimed = touched([*heads, *self._suspects(self._faces(picture))], part)
        state.leaves.append(self._descriptor.describe(picture, [*aimed, *sliding]).astype(np.float16))

    def _suspects(self, found: Detections) -> list[Window]:
        return [self._descriptor.around(box) for box in found.boxes[:MAX_FACES]]

    def _faces(self, picture: Image) -> Detections:
        """Return faces at a low score in the whole picture and in tiles of it, best first."""
        height, width = picture.shape[:2]
        tiles = [(0, 0, width, height), *grid(height, width, _TILES_PER_SIDE)]
        found = TiledDetector(self._face_detector).detect(picture, tiles)
        return suppress_non_maxima(found.boxes, found.scores)

    def part(self, out: Path) -> AuditPart:
        """Return what was found. Writes a figure into `out`; no face is in it."""
        leaves, control, later = _Search(), _Search(), _Search()
        threshold = self._descriptor.threshold
        for name, clip in self._clips.items():
            own, searched = clip.gallery(), clip.windows()
            leaves.add(searched, own, threshold)
            control.add(searched, self._strangers(name, own), threshold)
            later.add(clip.late_raw(), clip.gallery(EARLY), threshold)
        path = out / "recognition.png"
        _figure(
            {"what leaves": leaves, "what leaves, photos of strangers": control, "raw frames": later}, threshold, path
        )
        values = {
            "matches": leaves.matches,
            "windows": len(leaves.best),
            "comparisons": leaves.comparisons,
            "control_matches": control.matches if control.comparisons else None,
            "control_windows": len(control.best),
            "control_comparisons": control.comparisons,
            "raw_matches": later.matches,
            "raw_windows": len(later.best),
            "clips": len(self._clips),
            "clips_with_a_face": sum(len(clip.gallery()) > 0 for clip in self._clips.values()),
            "threshold": threshold,
        }
        caption = "Likeness of the searched windows to the best fitting photo; right of the line counts as a match"
        return AuditPart("Recognition of faces", {"recognition": values}, _text(values), [(path, caption)])

    def _strangers(self, name: str, own: Float32Array) -> Float32Array:
        """Return as many faces from other clips, without those that match somebody of this clip."""
        others = [clip.gallery() for other, clip in self._clips.items() if other != name]
        if not len(own) or not others:
            return np.empty((0, DIMENSIONS), np.float32)
        faces = np.concatenate(others)
        faces = faces[(faces @ own.T).max(1) <= self._descriptor.threshold]
        order = np.random.default_rng(_SEED).permutation(len(faces))
        return np.asarray(faces[order[: len(own)]], np.float32)


def _differs(one: Image, other: Image) -> npt.NDArray[np.bool_]:
    different: npt.NDArray[np.bool_] = (cv2.absdiff(one, other) > _TOLERANCE).any(2)
    return different


def _text(values: dict[str, Any]) -> str:
    if not values["comparisons"]:
        return (
            "No face in the raw frames was large and clear enough to serve as a photo, or nothing was left to search:"
            " **this attack could not be made and says nothing here.**"
        )
    rows = [("what leaves, with photos of the people of the clip", values["windows"], values["matches"])]
    if values["control_matches"] is not None:
        rows.append(("what leaves, with photos of strangers", values["control_windows"], values["control_matches"]))
    if values["raw_windows"]:
        rows.append(
            ("raw frames of a later time, with photos of the people", values["raw_windows"], values["raw_matches"])
        )
    table = "\n".join(f"| {what} | {n} | {found} | {1000 * found / n:.1f} |" for what, n, found in rows)
    control = (
        "A face descriptor answers on floors and curtains too, at random: only what is clearly above the strangers"
        " means that a person was recognised."
        if values["control_matches"] is not None
        else "There were no faces of strangers to compare with, so it is not known how many matches are chance."
        " Give clips of other people as well."
    )
    return (
        f"The attacker has photos of the people, cut out of the raw frames ({values['clips_with_a_face']} of"
        f" {values['clips']} clips show a clear face), and searches environments and anonymous frames for them: on"
        " everything that resembles a face, where the heads were, and in sliding windows of three sizes (all of them in"
        f" environments; up to {MAX_SLIDING} a frame, drawn at random, on the figures of anonymous frames).\n\n"
        "| searched | windows | matches | per 1000 |\n|---|---|---|---|\n"
        f"{table}\n\n{control} It does not show what a better descriptor, or a person who knows the room, can do."
    )


def _figure(searches: dict[str, _Search], threshold: float, path: Path) -> None:
    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    bins = np.linspace(0, 1, 51).tolist()
    for (name, search), color in zip(searches.items(), (BLUE, GREY, ORANGE), strict=True):
        if search.best:
            fractions = np.full(len(search.best), 100 / len(search.best))
            label = f"{name}: {search.matches} of {len(search.best)} match"
            axes.hist(search.best, bins, weights=fractions, histtype="step", linewidth=2, color=color, label=label)
    axes.axvline(threshold, color="black", linestyle=":", label="counts as a match from here on")
    axes.set(title="the best fitting photo of each window", xlabel="cosine of the descriptors", ylabel="% of windows")
    axes.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)
