"""Keeps the last seconds of each subject, bounded, and joins tracks that broke."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import hypot, inf

from privcam_core.events.event_tracker import MAX_IDS
from privcam_core.types.arrays import Box
from privcam_core.types.omega import SubjectPose
from privcam_recognition.features import Point, body_height, height_hint, measure
from privcam_recognition.rules.posture_rules import Moment, posture
from privcam_recognition.rules.rule_settings import Settings
from privcam_recognition.temporal.windows import TrackBuffer


@dataclass(eq=False)
class Subject:
    """One subject and its last seconds.

    ids: subject ids, the present one first. may_join: it may still continue the track of a lost subject. moments:
    oldest first. hints: (s, px), the body height that each pose suggests. first, last: when it was seen, camera time
    in s. box: its last box, px. track_buffer: its newest poses and boxes as they came.
    """

    ids: list[int]
    may_join: bool
    moments: deque[Moment]
    hints: deque[tuple[float, float]]
    box: Box = (0.0, 0.0, 1.0, 1.0)
    first: float = inf
    last: float = -inf
    track_buffer: TrackBuffer = field(default_factory=TrackBuffer)

    @property
    def height_px(self) -> float | None:
        """H in px, None while no body segment was seen."""
        return body_height([hint for _, hint in self.hints]) if self.hints else None

    @property
    def place(self) -> Point:
        """The last place of the subject, px: the torso centre, or the middle of the box."""
        if self.moments and (centre := self.moments[-1].measures.centre) is not None:
            return centre
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def is_down(self) -> bool:
        """Whether the newest pose lies; whether the box is wider than high where no pose was ever measured."""
        return self.moments[-1].lies if self.moments else self.box[2] - self.box[0] > self.box[3] - self.box[1]

    def observe(self, seconds: float, pose: SubjectPose, settings: Settings) -> None:
        """Take in one pose. seconds: camera time, newer than the last."""
        self.first = min(self.first, seconds)
        self.last = seconds
        self.box = pose.box
        self.track_buffer.add(seconds, pose)
        hint = height_hint(pose.keypoints)
        if hint is not None:
            self.hints.append((seconds, hint))
        if (height := self.height_px) is None:
            return
        measures = measure(seconds, pose.keypoints, pose.box, height)
        self.moments.append(Moment(measures, posture(measures, settings)))
        self._trim(settings)

    def take_over(self, newer: "Subject", settings: Settings) -> None:
        """Continue as `newer`, which is the same subject: take its id, its place and its moments."""
        self.ids = newer.ids + self.ids
        self.box, self.last = newer.box, newer.last
        self.track_buffer.take_over(newer.track_buffer)
        start = newer.moments[0].seconds if newer.moments else newer.last
        while self.moments and self.moments[-1].seconds >= start:
            self.moments.pop()
        self.moments.extend(newer.moments)
        self.hints.extend(newer.hints)
        self._trim(settings)

    def _trim(self, settings: Settings) -> None:
        while self.moments and self.last - self.moments[0].seconds > settings.memory_s:
            self.moments.popleft()
        # The last hint stays: a body on the floor without a visible limb is still as tall as before.
        while len(self.hints) > 1 and self.last - self.hints[0][0] > settings.height_s:
            self.hints.popleft()


@dataclass(frozen=True)
class Changes:
    """Changes by one frame. joined: (older, newer that it took over). forgotten: subjects that were dropped."""

    joined: Sequence[tuple[Subject, Subject]]
    forgotten: Sequence[Subject]


class SubjectHistory:
    """The subjects of one camera, each under one or more ids. A subject out of sight for `forget_s` is dropped.

    Tracks are joined only for bodies that lie: their tracks break often, and a fall would be missed. Elsewhere a wrong
    detection beside a subject must not get the history of the subject.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_id: dict[int, Subject] = {}

    def __iter__(self) -> Iterator[Subject]:
        """Yield each subject once, in the order of first sight."""
        return iter(dict.fromkeys(self._by_id.values()))

    def __len__(self) -> int:
        return len(set(self._by_id.values()))

    def __getitem__(self, subject_id: int) -> Subject:
        return self._by_id[subject_id]

    def update(self, seconds: float, poses: Sequence[SubjectPose]) -> Changes:
        """Take in the poses of one frame. seconds: camera time, newer than the last."""
        forgotten = [p for p in self if seconds - p.last > self._settings.forget_s]
        for subject in forgotten:
            self._drop(subject)
        self._split({pose.subject_id for pose in poses})
        for pose in poses:
            if pose.subject_id not in self._by_id:
                self._by_id[pose.subject_id] = self._new(pose.subject_id, may_join=True)
            self._by_id[pose.subject_id].observe(seconds, pose, self._settings)
        joined = []
        for newer in [p for p in self if p.may_join and p.last == seconds]:
            if seconds - newer.first > self._settings.rejoin_s:
                newer.may_join = False
            elif newer.is_down and (older := self._lost_near(newer, seconds)) is not None:
                self._drop(newer)
                older.take_over(newer, self._settings)
                self._keep(older)
                joined.append((older, newer))
        return Changes(joined, forgotten)

    def _new(self, subject_id: int, *, may_join: bool) -> Subject:
        limit = self._settings.max_samples
        return Subject([subject_id], may_join, deque(maxlen=limit), deque(maxlen=limit))

    def _drop(self, subject: Subject) -> None:
        for subject_id in subject.ids:
            del self._by_id[subject_id]

    def _keep(self, subject: Subject) -> None:
        """Keep only the newest ids of a subject, so that a track that breaks again and again stays bounded."""
        for subject_id in subject.ids[MAX_IDS:]:
            del self._by_id[subject_id]
        subject.ids = subject.ids[:MAX_IDS]
        for subject_id in subject.ids:
            self._by_id[subject_id] = subject

    def _split(self, present: set[int]) -> None:
        """Separate ids that were joined and are now in one frame: the oldest was not lost and keeps the history."""
        for subject in self:
            here = [i for i in subject.ids if i in present]
            for subject_id in here[:-1]:
                subject.ids.remove(subject_id)
                self._by_id[subject_id] = self._new(subject_id, may_join=False)
            if here:
                subject.ids.remove(here[-1])
                subject.ids.insert(0, here[-1])

    def _lost_near(self, newer: Subject, seconds: float) -> Subject | None:
        """Return the subject lost a moment ago that `newer` continues, the nearest of several, or None."""
        candidates = []
        for older in self:
            if older.last == seconds or older.first >= newer.first or older.height_px is None:
                continue
            distance = hypot(older.place[0] - newer.place[0], older.place[1] - newer.place[1]) / older.height_px
            growth = _diagonal(newer.box) / _diagonal(older.box)
            if (
                seconds - older.last <= self._settings.rejoin_s
                and distance <= self._settings.rejoin_reach
                and 1 / self._settings.rejoin_growth <= growth <= self._settings.rejoin_growth
            ):
                candidates.append((distance, older))
        return min(candidates, key=lambda c: c[0])[1] if candidates else None


def _diagonal(box: Box) -> float:
    return hypot(box[2] - box[0], box[3] - box[1])
