"""The rule model: a recognizer that a person can read."""

from collections.abc import Sequence
from math import inf
from weakref import WeakKeyDictionary

from privcam_cloud.recognition.evidence_text import (
    FALLEN,
    UNCLEAR,
    fall_evidence,
    posture_evidence,
    rise_evidence,
    scene_caption,
)
from privcam_cloud.recognition.rules.hysteresis import Hysteresis
from privcam_cloud.recognition.rules.posture_rules import (
    Fall,
    Moment,
    find_fall,
    find_rise,
    label_scores,
    landed_at,
    travel_speed,
)
from privcam_cloud.recognition.rules.rule_settings import DEFAULT, Settings
from privcam_cloud.recognition.subject_history import People, Person
from privcam_core.events.event_tracker import ActiveEvent, EventTracker
from privcam_core.events.scene_report import Event, RecognizedObject, SceneReport
from privcam_core.types.omega import Omega, SubjectPose, SyncKey
from privcam_core.types.time import NS_PER_S

MODEL_ID = "privcam-rules/1"


class Watch:
    """What is being followed about one person between frames."""

    def __init__(self, settings: Settings) -> None:
        self.hysteresis = Hysteresis(settings)
        self.fall: Fall | None = None
        self.last_landing = -inf
        self.claims: Sequence[ActiveEvent] = ()


class RuleModel:
    """Recognises standing, walking, sitting, bending, lying, fall and getting_up from the poses P alone.

    Time is camera time, so a recording gives the same answer at any speed. One instance per camera.
    """

    def __init__(self, settings: Settings = DEFAULT) -> None:
        self._settings = settings
        self._people = People(settings)
        self._watches: WeakKeyDictionary[Person, Watch] = WeakKeyDictionary()
        self._first: SyncKey | None = None
        self._last: SyncKey | None = None
        self._events = EventTracker(0)

    @property
    def model_id(self) -> str:
        """Name and version of the model."""
        return MODEL_ID

    def update(self, omega: Omega) -> SceneReport:
        """Take in the next frame and report the scene. See `Recognizer.update`."""
        seconds = self._advance(omega.key)
        changes = self._people.update(seconds, omega.poses)
        events = [b for person in changes.forgotten for b in self._events.close(person, person.last)]
        for older, newer in changes.joined:
            events += self._events.join(older, newer, seconds)
        self._look(seconds, omega)
        for person in self._people:
            events += self._events.update(person, self._claims(person, seconds), seconds)
        events += self._among(seconds)
        present = [self._people[pose.subject_id] for pose in omega.poses]
        return SceneReport(
            key=omega.key,
            objects=[_object(pose) for pose in omega.poses],
            events=events,
            caption=scene_caption([self._state(person, seconds) for person in present]),
            model_id=self.model_id,
        )

    def _look(self, seconds: float, omega: Omega) -> None:
        """Look at everybody at once, before each is asked for; the rules do not need to."""

    def _among(self, _seconds: float) -> list[Event]:
        """Report what happens between people; the rules know nothing of that."""
        return []

    def _advance(self, key: SyncKey) -> float:
        """Check the order of κ and return camera time in s since the first frame."""
        if self._first is None or self._last is None:
            self._first = key
            self._events = EventTracker(key.stamp_ns)
        elif key.camera_id != self._first.camera_id:
            raise ValueError(
                f"key.camera_id: {key.camera_id} given to the model of {self._first.camera_id}; use one each"
            )
        elif key.stamp_ns <= self._last.stamp_ns:
            raise ValueError(
                f"key.stamp: {key.stamp_ns} ns is not after {self._last.stamp_ns} ns; give frames in order"
            )
        self._last = key
        return (key.stamp_ns - self._first.stamp_ns) / NS_PER_S

    def _claims(self, person: Person, seconds: float) -> Sequence[ActiveEvent]:
        """Return what holds for a person; what held last goes on for one out of sight, until it is forgotten."""
        watch = self._watches.setdefault(person, Watch(self._settings))
        moments = person.moments
        if not moments:
            return []
        if person.last == seconds:
            now = tuple(person.ids[:1])
            watch.claims = [*self._posture(person, watch, now, moments), *self._rise(now, moments, seconds)]
        return [*self._fall(person, watch, tuple(person.ids), moments, seconds), *watch.claims]

    def _posture(
        self, _person: Person, watch: Watch, ids: tuple[int, ...], moments: Sequence[Moment]
    ) -> Sequence[ActiveEvent]:
        now = moments[-1]
        scores = label_scores(moments, self._settings)
        held = watch.hysteresis.update(now.seconds, scores)
        if held is None:
            return []
        label, since = held
        speed = travel_speed(moments, self._settings) if label == "walking" else None
        evidence = posture_evidence(now.measures, label, speed, now.seconds - since)
        return [ActiveEvent(label, ids, scores[label], since, evidence)]

    def _fall(
        self, _person: Person, watch: Watch, ids: tuple[int, ...], moments: Sequence[Moment], seconds: float
    ) -> Sequence[ActiveEvent]:
        if watch.fall is None:
            found = find_fall(moments, seconds, self._settings)
            # Who lies down again has not fallen again, unless it came down since.
            if (
                found is not None
                and found.confidence >= self._settings.fall_confidence
                and found.started > watch.last_landing
            ):
                watch.fall, watch.last_landing = found, found.landed
        elif landed_at(moments, self._settings) is None:
            watch.fall = None
        if watch.fall is None:
            return []
        evidence = fall_evidence(watch.fall, moments[-1].measures.torso_angle, seconds)
        return [ActiveEvent("fall", ids, watch.fall.confidence, watch.fall.started, evidence)]

    def _rise(self, ids: tuple[int, ...], moments: Sequence[Moment], seconds: float) -> Sequence[ActiveEvent]:
        rise = find_rise(moments, self._settings)
        if rise is None:
            return []
        return [ActiveEvent("getting_up", ids, rise.confidence, rise.started, rise_evidence(rise, seconds))]

    def _state(self, person: Person, seconds: float) -> tuple[str, float]:
        """Return the one thing to say about a person, the most serious first, and for how long (s) it has been so."""
        watch = self._watches[person]
        if watch.fall is not None:
            return FALLEN, seconds - watch.fall.landed
        if not watch.claims:
            return UNCLEAR, 0.0
        said = next((claim for claim in watch.claims if claim.label == "getting_up"), watch.claims[0])
        return said.label, seconds - said.started


def _object(pose: SubjectPose) -> RecognizedObject:
    """Return the person of a pose; its confidence is the mean ρ of the keypoints, the only score that Ω carries."""
    return RecognizedObject("person", float(pose.keypoints[:, 2].mean()), pose.subject_id, pose.box)
