"""Who is remembered: the last seconds of each subject, tracks that broke joined again, all of it bounded."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import hypot, inf

from privcam_cloud.recognition.features import Point, body_height, height_hint, measure
from privcam_cloud.recognition.rules.posture_rules import Moment, posture
from privcam_cloud.recognition.rules.rule_settings import Settings
from privcam_cloud.recognition.temporal.windows import TrackMemory
from privcam_core.events.event_tracker import MAX_IDS
from privcam_core.types.arrays import Box
from privcam_core.types.omega import SubjectPose


@dataclass(eq=False)
class Person:
    """One remembered person.

    ids: subject ids, the present one first. may_join: it may yet turn out to continue somebody lost. moments: oldest
    first. hints: (s, px) of what body height each pose suggested. first, last: when it was seen, camera time in s.
    box: where it was last, px. memory: its newest poses and boxes as they came.
    """

    ids: list[int]
    may_join: bool
    moments: deque[Moment]
    hints: deque[tuple[float, float]]
    box: Box = (0.0, 0.0, 1.0, 1.0)
    first: float = inf
    last: float = -inf
    memory: TrackMemory = field(default_factory=TrackMemory)

    @property
    def height_px(self) -> float | None:
        """H in px, None while no body segment was seen."""
        return body_height([hint for _, hint in self.hints]) if self.hints else None

    @property
    def place(self) -> Point:
        """Where the person was last, px: the torso centre, or the middle of the box."""
        if self.moments and (centre := self.moments[-1].measures.centre) is not None:
            return centre
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def is_down(self) -> bool:
        """Whether the newest pose lies; whether the box is wider than high where no pose was ever measured."""
        return self.moments[-1].lies if self.moments else self.box[2] - self.box[0] > self.box[3] - self.box[1]

    def observe(self, seconds: float, pose: SubjectPose, settings: Settings) -> None:
        """Take in one pose of this person. seconds: camera time, newer than the last."""
        self.first = min(self.first, seconds)
        self.last = seconds
        self.box = pose.box
        self.memory.add(seconds, pose)
        hint = height_hint(pose.keypoints)
        if hint is not None:
            self.hints.append((seconds, hint))
        if (height := self.height_px) is None:
            return
        measures = measure(seconds, pose.keypoints, pose.box, height)
        self.moments.append(Moment(measures, posture(measures, settings)))
        self._trim(settings)

    def take_over(self, newer: "Person", settings: Settings) -> None:
        """Become the person that `newer` also is: its id, its place, and what it did since this one was lost."""
        self.ids = newer.ids + self.ids
        self.box, self.last = newer.box, newer.last
        self.memory.take_over(newer.memory)
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
    """What one frame did to the memory. joined: (older, newer that it took over). forgotten: persons dropped."""

    joined: Sequence[tuple[Person, Person]]
    forgotten: Sequence[Person]


class People:
    """The persons of one camera, each under one or more subject ids. Who is unseen for `forget_s` is dropped.

    Tracks are joined for bodies that lie only: there a track breaks for good reason, and a fall would go unseen.
    Elsewhere a wrong detection beside a person must not get the person's history.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_id: dict[int, Person] = {}

    def __iter__(self) -> Iterator[Person]:
        """Yield each remembered person once, in the order of first sight."""
        return iter(dict.fromkeys(self._by_id.values()))

    def __len__(self) -> int:
        return len(set(self._by_id.values()))

    def __getitem__(self, subject_id: int) -> Person:
        return self._by_id[subject_id]

    def update(self, seconds: float, poses: Sequence[SubjectPose]) -> Changes:
        """Take in the poses of one frame. seconds: camera time, newer than the last."""
        forgotten = [p for p in self if seconds - p.last > self._settings.forget_s]
        for person in forgotten:
            self._drop(person)
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

    def _new(self, subject_id: int, *, may_join: bool) -> Person:
        limit = self._settings.max_samples
        return Person([subject_id], may_join, deque(maxlen=limit), deque(maxlen=limit))

    def _drop(self, person: Person) -> None:
        for subject_id in person.ids:
            del self._by_id[subject_id]

    def _keep(self, person: Person) -> None:
        """Know a person under its newest ids only, so that a track that breaks again and again stays bounded."""
        for subject_id in person.ids[MAX_IDS:]:
            del self._by_id[subject_id]
        person.ids = person.ids[:MAX_IDS]
        for subject_id in person.ids:
            self._by_id[subject_id] = person

    def _split(self, present: set[int]) -> None:
        """Part ids that were joined and are now seen side by side: the oldest keeps the memory, it was not lost."""
        for person in self:
            here = [i for i in person.ids if i in present]
            for subject_id in here[:-1]:
                person.ids.remove(subject_id)
                self._by_id[subject_id] = self._new(subject_id, may_join=False)
            if here:
                person.ids.remove(here[-1])
                person.ids.insert(0, here[-1])

    def _lost_near(self, newer: Person, seconds: float) -> Person | None:
        """Return the person lost a moment ago that `newer` continues, the nearest of several, None if there is none."""
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
