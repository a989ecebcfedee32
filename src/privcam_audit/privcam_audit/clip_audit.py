"""Audits clips: all parts use the same recorded perception, the same labels and one run of the edge per clip."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from privcam_anonymization.accountant import DELTA, WINDOW_S
from privcam_anonymization.anonymizer import PoseSettings
from privcam_audit import edge_runs
from privcam_audit.attacks.detector_attack import DetectorAttack
from privcam_audit.attacks.inversion_attack import InversionAttack
from privcam_audit.attacks.pose_sequences import clips_of
from privcam_audit.attacks.recognition_attack import RecognitionAttack
from privcam_audit.attacks.reidentification import reidentification
from privcam_audit.audit_part import AuditPart
from privcam_audit.leakage.fidelity import fidelity
from privcam_audit.leakage.interference import interference
from privcam_audit.leakage.leak import leak
from privcam_audit.leakage.person_labels import Labels, label
from privcam_audit.perception_recording import Recording, record
from privcam_audit.privacy_budget import budget
from privcam_core.types.omega import Omega
from privcam_edge.composition import Composer
from privcam_edge.embedding.encoder import BottleneckEncoder
from privcam_evaluation.clip_reader import Crop, annotation_of
from privcam_privacy.eraser import Published

# Keys of the report, in its order.
PARTS = ("leak", "detector", "recognition", "inversion", "reid", "environment", "interference", "budget")
# What needs labels, and what needs a run of the edge.
_LABELLED = {"leak", "detector", "environment"}
_RUN = {"leak", "detector", "recognition", "inversion", "environment", "budget"}
# Frames/s that the costly attacks (detector, recognition) get.
_OBSERVED_HZ = 2.0
# Frames/s that the inversion attack trains on.
_SAMPLES_HZ = 5.0

DRAWN_TEXT = (
    "The anonymised frame Ĩ adds nothing but drawn figures to the environment. A face that is found in it and not in"
    " the environment is an alarm that the drawing caused, in the figure or beside it: detectors see the"
    " surroundings too. The bar is that of the environment."
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How clips are audited. seconds: of each clip, None takes all. labels: given ones, of the only clip."""

    out: Path
    parts: frozenset[str]
    seconds: float | None = None
    crop: Crop | None = None
    labels: Path | None = None
    skeletons: Path | None = None
    faces: Path | None = None
    threads: int = 1


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip with what is known of it. left: what left the edge in mode adaptive, [] where no part needs it."""

    path: Path
    recording: Recording
    labels: Labels
    moving: bool
    left: list[Published] = field(default_factory=list)


@dataclass(frozen=True)
class Audit:
    """parts: what was measured. about: of each clip, for the report. reasons: why a value is null, by dotted key."""

    parts: list[AuditPart]
    about: dict[str, Any]
    reasons: dict[str, str]


def audit_clips(paths: Sequence[Path], options: Options, say: Say) -> Audit:
    """Run the chosen parts. Raises SourceError for a clip that cannot be read, ModelError, and ValueError."""
    alike = [name for name, count in Counter(path.stem for path in paths).items() if count > 1]
    if alike:
        raise ValueError(f"several clips are called {', '.join(alike)}; the report needs different names")
    attacks = _Attacks(options)
    clips: list[Clip] = []
    for number, path in enumerate(paths, start=1):
        began = time.monotonic()
        progress = f"{number}/{len(paths)} {path.name}: "
        clip = _prepare(path, options, say, progress)
        if attacks.any:
            say(f"{progress}attacking what left")
            attacks.observe(clip)
        clips.append(clip)
        say(f"{progress}{len(clip.recording)} frames in {time.monotonic() - began:.0f} s")
    reasons: dict[str, str] = {}
    parts = []
    for name in PARTS:
        if name in options.parts:
            began = time.monotonic()
            part = _measure(name, clips, attacks, options, reasons, say)
            say(f"{name}: {time.monotonic() - began:.0f} s")
            if part is not None:
                parts.append(part)
    return Audit(parts, _about(clips), reasons)


def _prepare(path: Path, options: Options, say: Say, progress: str) -> Clip:
    cache = options.out / "cache"
    say(f"{progress}looking for people")
    recording = record(path, cache=cache, seconds=options.seconds, crop=options.crop, threads=options.threads)
    if not len(recording):
        raise ValueError(f"{path}: holds no frame")
    labels = Labels([found.detections.boxes[:0] for found in recording.perceptions])
    if options.parts & _LABELLED:
        say(f"{progress}labelling people")
        if options.labels is not None:
            labels = Labels.load(options.labels, recording)
        else:
            labels = label(recording, cache=cache, threads=options.threads)
        labels.save(options.out / f"labels_{recording.name}.json", recording)
    left: list[Published] = []
    if options.parts & _RUN:
        say(f"{progress}running the edge")
        left = edge_runs.run(recording, edge_runs.eraser("adaptive", options.threads))
    return Clip(path, recording, labels, is_moving(path), left)


class _Attacks:
    """The attacks that get frames of every clip beside what left of them."""

    def __init__(self, options: Options) -> None:
        chosen, threads = options.parts, options.threads
        self.detector = DetectorAttack(threads) if "detector" in chosen else None
        self.recognition = RecognitionAttack(threads) if "recognition" in chosen else None
        self.inversion = InversionAttack() if "inversion" in chosen else None

    @property
    def any(self) -> bool:
        """Whether one of them was chosen."""
        return not (self.detector is None and self.recognition is None and self.inversion is None)

    def observe(self, clip: Clip) -> None:
        """Show one clip to the attacks: detectors get every new environment, all attacks get frames at a fixed rate."""
        recording, composer, encoder = clip.recording, Composer(), BottleneckEncoder(seed=edge_runs.SEED)
        observed_step, sample_step = (max(1, round(recording.rate_hz / hz)) for hz in (_OBSERVED_HZ, _SAMPLES_HZ))
        last = b""
        for number, (frame, published) in enumerate(zip(recording.frames(), clip.left, strict=True)):
            environment, report, poses, _ = published
            new, last = environment.digest != last, environment.digest
            anonymous, plate = composer.compose(environment, poses), composer.compose(environment, [])
            observed = number % observed_step == 0
            if self.detector and (observed or new):
                empty = clip.labels.empty(number)
                self.detector.observe(frame.image, plate, anonymous, clip=recording.name, empty=empty)
            if self.recognition and observed:
                self.recognition.observe(recording.name, frame.image, plate, anonymous, frame.poses)
            if self.inversion and number % sample_step == 0:
                omega = Omega(frame.key, environment, poses, encoder.encode(anonymous), report)
                self.inversion.observe(recording.name, frame.image, omega, frame.poses)


def _measure(
    name: str, clips: Sequence[Clip], attacks: _Attacks, options: Options, reasons: dict[str, str], say: Say
) -> AuditPart | None:
    """Return one part; None, and a reason, where it cannot be measured on these clips."""
    labelled = [(clip.recording, clip.labels) for clip in clips]
    if name == "leak":
        runs = [(clip.recording, clip.labels, clip.left) for clip in clips]
        part, why = leak(runs, options.out, options.threads, say)
        reasons.update(why)
        return part
    if name == "detector" and attacks.detector:
        return detector_part(attacks.detector.part(options.out))
    if name == "recognition" and attacks.recognition:
        part = attacks.recognition.part(options.out)
        if not part.values["recognition"]["comparisons"]:
            part.values["recognition"]["matches"] = None
            reasons["recognition.matches"] = "no face in the clips is large and clear enough to search for"
            for figure, _ in part.figures:
                figure.unlink()  # it has nothing in it
            return replace(part, figures=[])
        return part
    if name == "inversion" and attacks.inversion:
        try:
            return attacks.inversion.part(options.out)
        except ValueError as error:
            reasons["inversion"] = str(error).removeprefix("inversion: ").removesuffix(".")
            return None
    if name == "reid":
        sequences = [sequence for clip in clips for sequence in clips_of(clip.recording, clip.path)]
        part = reidentification(sequences, options.out, options.skeletons, PoseSettings())
        if part.values["reid"]["raw"] is None:
            reasons["reid"] = "takes two subjects with two clips each; --skeletons adds those of MSR Action3D"
        return part
    if name == "environment":
        kept = iter(clips)
        part = fidelity(labelled, lambda: edge_runs.replay(next(kept).left), options.out)
        found = part.values["environment"]
        if found["psnr_db"] is None:
            reasons["environment.psnr_db"] = "no clip shows an empty room and goes on after the warm-up"
        if found["confirmed_s"] is None:
            reasons["environment.confirmed_s"] = (
                "not confirmed in a clip that shows the empty room long enough"
                if any(one["empty_s"] >= 10 for one in found["clips"].values())
                else "no clip shows the empty room long enough"
            )
        return part
    if name == "interference":
        recordings = [clip.recording for clip in clips]
        return interference(recordings, faces=options.faces, threads=options.threads)
    noise = PoseSettings().noise.sensitivity(), round(WINDOW_S / PoseSettings().period_s), DELTA
    part, reason = budget({clip.recording.name: [left.report for left in clip.left] for clip in clips}, noise)
    if reason:
        reasons["budget"] = reason
    return part


def detector_part(part: AuditPart) -> AuditPart:
    """Return the part with one number for faces and one for persons: found in environments, per 1000 frames.

    Ĩ does not leave, and adds nothing but drawn figures to the environment, which is searched itself. What is found in
    Ĩ and not in the environment is an alarm that the drawing caused. It stays in the table.
    """
    found = part.values["detector"]
    faces, persons = found["faces"], found["persons"]
    scalars = {
        "faces": faces["environment"],
        "persons": persons["environment"],
        "faces_in": faces,
        "persons_in": persons,
    }
    return replace(part, values={"detector": {**found, **scalars}}, text=f"{part.text.rstrip()}\n\n{DRAWN_TEXT}\n")


def _about(clips: Sequence[Clip]) -> dict[str, Any]:
    return {
        clip.recording.name: {
            "file": clip.path.name,
            "digest": clip.recording.digest,
            "frames": len(clip.recording),
            "rate_hz": round(clip.recording.rate_hz, 3),
            "width": clip.recording.shape[1],
            "height": clip.recording.shape[0],
            "camera_moves": clip.moving,
        }
        for clip in clips
    }


def is_moving(clip: Path) -> bool:
    """Return whether the `annotations.json` in the clip's folder, or the one above, calls its camera moving."""
    entry = annotation_of(clip)
    return entry is not None and entry.get("static_camera") is False
