"""Makes labelled windows of simulated people and of recorded clips, cut out of Ω as the cloud does it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privcam_core.types.omega import Omega, SubjectPose
from privcam_evaluation.recognition.event_matching import FALL_FOR_S
from privcam_evaluation.recognition.labelled_clips import Clip, fall_seconds, faller, seconds_of
from privcam_recognition.rules.rule_model import RuleModel
from privcam_recognition.rules.rule_settings import DEFAULT
from privcam_recognition.subject_history import Subject, SubjectHistory
from privcam_recognition.temporal.temporal_model import LABELS
from privcam_recognition.temporal.windows import FEATURES, STEPS, window
from privcam_training.temporal.labels import Allowed, but, only
from privcam_training.temporal.simulation.simulator import Recording, simulate

# Time between two windows of a recording, s.
EVERY_S = 0.2
# Windows per simulated recording.
WINDOWS_A_SIMULATION = 4
# Early recognition is difficult: moments up to this long after a change are sampled more often.
SOON_S = 0.8
# How many times as often they are sampled.
SOON_WEIGHT = 3.0
# Somebody out of sight for longer than this says nothing any more.
LOST_S = 2.0


@dataclass(frozen=True)
class Examples:
    """Windows (N, STEPS, FEATURES) float32, what each may be (N, len(LABELS)) bool, and of whom: (N,) group names."""

    windows: npt.NDArray[np.float32]
    allowed: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.windows)

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Examples":
        """Return some of them."""
        return Examples(self.windows[chosen], self.allowed[chosen], self.groups[chosen])


def collect(rows: Sequence[tuple[npt.NDArray[np.float32], Allowed, str]]) -> Examples:
    """Return examples of rows of window, allowed labels and group."""
    return Examples(
        np.array([row[0] for row in rows], np.float32).reshape(-1, STEPS, FEATURES),
        np.array([row[1] for row in rows], bool).reshape(-1, len(LABELS)),
        np.array([row[2] for row in rows], str),
    )


def join(parts: Sequence[Examples]) -> Examples:
    """Return all examples of several sets."""
    return Examples(
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.allowed for part in parts]),
        np.concatenate([part.groups for part in parts]),
    )


def track_subjects(frames: Iterable[tuple[float, Sequence[SubjectPose]]]) -> Iterator[tuple[float, SubjectHistory]]:
    """Yield who is remembered after each frame. frames: camera time in s, poses."""
    people = SubjectHistory(DEFAULT)
    for seconds, poses in frames:
        people.update(seconds, poses)
        yield seconds, people


def window_of(person: Subject, now: float) -> npt.NDArray[np.float32] | None:
    """Return the window of a person, None where there is nothing to say: no body was seen, or not for long."""
    if person.height_px is None or now - person.last > LOST_S:
        return None
    return window(person.track_buffer.track(), person.height_px, now)


def simulate_examples(count: int, seed: int) -> Examples:
    """Return windows of so many simulated people."""
    random = np.random.default_rng(seed)
    rows = []
    for recording in [simulate(random) for _ in range(count)]:
        likely = np.where(_soon(recording), SOON_WEIGHT, 1.0)
        chosen = set(random.choice(len(likely), WINDOWS_A_SIMULATION, p=likely / likely.sum()).tolist())
        frames = ((s, [pose] if pose else []) for s, pose in zip(recording.seconds, recording.poses, strict=True))
        for index, (seconds, people) in enumerate(track_subjects(frames)):
            if index not in chosen:
                continue
            for person in people:
                cut = window_of(person, seconds)
                if cut is not None:
                    rows.append((cut, recording.allowed[index], "simulated"))
    return collect(rows)


def _soon(recording: Recording) -> npt.NDArray[np.bool_]:
    """Say of each moment (N,) whether what may be said changed at most SOON_S before."""
    changes = recording.seconds[1:][(recording.allowed[1:] != recording.allowed[:-1]).any(axis=1)]
    age = recording.seconds[:, None] - changes
    return np.asarray(((age >= 0) & (age <= SOON_S)).any(axis=1))


def clip_examples(clip: Clip, omegas: Sequence[Omega]) -> Examples:
    """Return windows of everybody in a clip, see `label_windows`."""
    return collect([(cut, allowed, clip.group) for _, cut, allowed in label_windows(clip, omegas)])


def label_windows(clip: Clip, omegas: Sequence[Omega]) -> Iterator[tuple[float, npt.NDArray[np.float32], Allowed]]:
    """Yield time (s since the clip began), window and allowed labels of every subject, every EVERY_S.

    The faller is the subject whose box comes down farthest between the two marks of the clip. All other windows get the
    label of the rule model, if that is no fall; otherwise all labels but fall are allowed.
    """
    rules, due = RuleModel(), 0.0
    who = faller(clip, omegas)
    mark = fall_seconds(clip, omegas)
    frames = ((seconds_of(omega), omega.poses) for omega in omegas)
    for (seconds, people), omega in zip(track_subjects(frames), omegas, strict=True):
        said = {b.subject_ids[0]: b.label for b in rules.update(omega).events if b.label in LABELS}
        if seconds < due:
            continue
        due = seconds + EVERY_S
        for person in people:
            cut = window_of(person, seconds)
            if cut is None:
                continue
            label = said.get(person.ids[0])
            weak = but(("fall", "getting_up")) if label in (None, "fall", "lying") else only(label)
            if mark is not None and who in person.ids:
                allowed = _while_falling(seconds, mark)
                if allowed is None:
                    continue
                weak = weak if allowed.all() else allowed
            yield seconds, cut, weak


def _while_falling(seconds: float, mark: tuple[float, ...]) -> Allowed | None:
    """Return what the one who falls may be said to do, all labels where others decide, None where nobody can say."""
    start, end = mark
    if seconds < start:
        return np.ones(len(LABELS), bool)
    if seconds < end - 0.2 * (end - start):
        return None
    return only("fall") if seconds <= end + FALL_FOR_S else only("fall", "lying")
