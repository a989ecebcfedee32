"""The non-interference test: no byte of Ω depends on a pixel of the exclusion masks.

Where people may be is computed once from a clip. Then the same regions and detections are replayed with other pixels
inside them - noise, a texture, faces - and every Ω has to come out byte by byte as it did with the real ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from privcam_anonymization.anonymizer import PoseAnonymizer
from privcam_anonymization.random_source import seeded
from privcam_audit.audit_part import AuditPart
from privcam_audit.perception_recording import Frame, Recording
from privcam_core.detection.inspection import EgressInspector
from privcam_core.detection.person_masks import outline_poses
from privcam_core.images.environment_writer import EnvironmentWriter
from privcam_core.inline_executor import InlineExecutor
from privcam_core.types.arrays import Image
from privcam_core.types.omega import Omega, PrivacyReport, Verdict
from privcam_edge.composition import Composer
from privcam_edge.embedding.encoder import BottleneckEncoder
from privcam_link import cdr
from privcam_privacy.background.engine import PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.background.exclusion_masks import ExclusionMasks
from privcam_privacy.background.grid import from_grid
from privcam_privacy.egress.inspection import Egress, Inspector

_TEXT = """\
Where people may be (the exclusion mask) was computed once from each clip. Then the clip was replayed three times with
all pixels of that region replaced: by noise, by a texture, and by faces. What leaves the edge was compared byte by byte
with the original run.

**{identical} of {frames} frames are the same in all three replays.**

| clip | frames | identical | pixels replaced in each replay | largest fraction of the picture shown |
|---|---|---|---|---|
{rows}

What this does not show: that the region covers every person (the leak test measures that), and what the shape of the
region itself tells. Poses are what was found in the original, and are the same in all replays.
"""

# Makes a picture (H, W, 3) of what is put in place of people, from its shape and a source of chance.
Paint = Callable[[tuple[int, int], np.random.Generator], Image]

_SEED = 11
_FACE_PX = (24, 96)
_SKIN, _INK = (120, 160, 210), (30, 30, 40)
_PICTURES = (".png", ".jpg", ".jpeg", ".pgm")


@dataclass
class Interference:
    """Of one recording. frames: compared. identical: of those, the ones that are so in every replay.

    swapped_pixels: replaced in each replay. first_difference: (what was put in, frame from 0), or None. shown: largest
    fraction of the picture that was shown in the original run; where nothing is shown, nothing could differ.
    """

    frames: int = 0
    identical: int = 0
    swapped_pixels: int = 0
    first_difference: tuple[str, int] | None = None
    visible: float = 0.0


class Replay:
    """The part of the edge after the exclusion masks: makes Ω of frames, with masks that were recorded."""

    def __init__(self, engine: PrivacyEngine, inspector: Inspector) -> None:
        self._engine = engine
        self._egress, self._writer = Egress(inspector, InlineExecutor()), EnvironmentWriter()
        self._anonymizer = PoseAnonymizer(random_bytes=seeded(_SEED))
        self._composer, self._encoder = Composer(), BottleneckEncoder(seed=_SEED)
        self.visible = 0.0

    def make_omega(self, frame: Frame, image: Image, exclusion: ExclusionMasks) -> bytes:
        """Return the bytes of Ω of one frame with `image` as its picture."""
        stamp_ns = frame.key.stamp_ns
        result = self._engine.absorb(image, exclusion, frame.tracks, stamp_ns)
        picture, detections = self._egress.update(result, stamp_ns)
        if detections:
            self._engine.quarantine_boxes([found.box for found in detections])
        environment = self._writer.write(frame.key, picture.png, picture.epoch, stale=self._egress.stale)
        self.visible = float(picture.confirmed.mean())
        report = PrivacyReport(
            result.excluded_fraction,
            1.0 - self.visible,
            result.quarantined_fraction,
            Verdict.PASS,
            sight=result.sight,
        )
        poses = self._anonymizer.anonymize(frame.poses, (image.shape[0], image.shape[1]), stamp_ns)
        embedding = self._encoder.encode(self._composer.compose(environment, poses))
        return cdr.encode(Omega(frame.key, environment, poses, embedding, report))


def make_transit_engine() -> PrivacyEngine:
    """Return an engine that shows what it learns from the clip: without anything shown, equality proves nothing."""
    return PrivacyEngine(EngineSettings(evidence="transit"))


def interference_of(
    recording: Recording,
    paints: dict[str, Paint],
    inspector: Inspector,
    make_engine: Callable[[], PrivacyEngine] = make_transit_engine,
) -> Interference:
    """Return how many Ω stay the same when the pixels of people are replaced with each of `paints`.

    inspector: searches the bytes of a picture for people. make_engine: gives a fresh engine.
    """
    result = Interference()
    observer = make_engine()
    original = Replay(observer, inspector)
    others = {kind: Replay(make_engine(), inspector) for kind in paints}
    random = np.random.default_rng(_SEED)
    for number, frame in enumerate(recording.frames()):
        exclusion = observer.compute_exclusion(
            frame.image,
            frame.detections,
            frame.tracks,
            outline_poses(recording.shape, frame.poses),
            frame.key.stamp_ns,
        )
        where = from_grid(exclusion.mask, recording.shape) > 0
        omega = original.make_omega(frame, frame.image, exclusion)
        result.visible = max(result.visible, original.visible)
        result.swapped_pixels += int(np.count_nonzero(where))
        changed = []
        for kind, replay in others.items():
            image = frame.image.copy()
            image[where] = paints[kind](recording.shape, random)[where]
            if replay.make_omega(frame, image, exclusion) != omega:
                changed.append(kind)
        result.frames += 1
        result.identical += not changed
        if changed and result.first_difference is None:
            result.first_difference = changed[0], number
    return result


def interference(
    recordings: Sequence[Recording],
    *,
    faces: Path | None = None,
    threads: int = 1,
) -> AuditPart:
    """Run the test on all recordings. faces: a folder of face pictures to paste; drawn ones if None."""
    paints = {"noise": noise, "texture": texture, "faces": paste_faces(load_faces(faces) if faces else [drawn_face()])}
    inspector = EgressInspector(threads=threads)
    clips = {one.name: interference_of(one, paints, inspector) for one in recordings}
    frames, identical = (sum(getattr(clip, name) for clip in clips.values()) for name in ("frames", "identical"))
    found = {
        "frames": frames,
        "identical": identical,
        "clips": {
            name: {
                "frames": clip.frames,
                "identical": clip.identical,
                "swapped_pixels": clip.swapped_pixels,
                "largest_fraction_shown": round(clip.visible, 4),
                "first_difference": clip.first_difference,
            }
            for name, clip in clips.items()
        },
    }
    rows = [
        f"| {name} | {c.frames} | {c.identical} | {c.swapped_pixels:.3g} | {100 * c.visible:.0f} % |"
        for name, c in clips.items()
    ]
    text = _TEXT.format(identical=identical, frames=frames, rows="\n".join(rows))
    return AuditPart("Non-interference", {"interference": found}, text)


def noise(shape: tuple[int, int], random: np.random.Generator) -> Image:
    """Return independent values in every pixel."""
    return random.integers(0, 256, (*shape, 3), np.uint8)


def texture(shape: tuple[int, int], random: np.random.Generator) -> Image:
    """Return stripes of another direction, width and colour in every frame."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    angle, width = random.uniform(0, np.pi), random.uniform(2, 20)
    phase = np.sin((np.cos(angle) * x + np.sin(angle) * y) / width)[..., None]
    low, high = random.integers(0, 256, (2, 3))
    return np.asarray((low + (high - low) * (phase + 1) / 2), np.uint8)


def paste_faces(faces: Sequence[Image]) -> Paint:
    """Return a paint that covers the picture with faces of all sizes."""

    def paint(shape: tuple[int, int], random: np.random.Generator) -> Image:
        side = int(random.integers(*_FACE_PX))
        rows, columns = -(-shape[0] // side), -(-shape[1] // side)
        chosen = random.integers(0, len(faces), (rows, columns))
        small = [cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA) for face in faces]
        sheet = np.vstack([np.hstack([small[index] for index in row]) for row in chosen])
        return np.asarray(sheet[: shape[0], : shape[1]], np.uint8)

    return paint


def drawn_face(side: int = 96) -> Image:
    """Return a simple drawn face, (side, side, 3)."""
    face = np.full((side, side, 3), 90, np.uint8)
    centre = (side // 2, side // 2)
    cv2.ellipse(face, centre, (side * 3 // 8, side // 2), 0, 0, 360, _SKIN, -1, cv2.LINE_AA)
    for x in (side * 3 // 8, side * 5 // 8):
        cv2.circle(face, (x, side * 2 // 5), side // 16, _INK, -1, cv2.LINE_AA)
    cv2.ellipse(face, (side // 2, side * 5 // 8), (side // 6, side // 10), 0, 20, 160, _INK, 2, cv2.LINE_AA)
    return face


def load_faces(folder: Path) -> list[Image]:
    """Return the pictures in a folder and those in it. Raises ValueError where there is none."""
    found = [cv2.imread(str(path)) for path in sorted(folder.rglob("*")) if path.suffix.lower() in _PICTURES]
    faces = [np.asarray(face, np.uint8) for face in found if face is not None]
    if not faces:
        raise ValueError(f"{folder}: holds no picture ({', '.join(_PICTURES)}); give a folder of face pictures")
    return faces
