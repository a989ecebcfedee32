"""The rule model: recognises postures, falls and getting up with thresholds that a person can read."""

from collections.abc import Sequence
from math import inf
from weakref import WeakKeyDictionary

from privcam_core.events.event_tracker import ActiveEvent
from privcam_core.events.scene_report import SceneReport
from privcam_core.types.omega import Omega
from privcam_recognition.evidence_text import (
    FALLEN,
    UNCLEAR,
    fall_evidence,
    posture_evidence,
    rise_evidence,
)
from privcam_recognition.rules.hysteresis import Hysteresis
from privcam_recognition.rules.posture_rules import (
    UNDECIDED,
    Fall,
    find_fall,
    find_rise,
    label_scores,
    landed_at,
    smoothed,
    travel_speed,
)
from privcam_recognition.rules.rule_settings import DEFAULT, Settings
from privcam_recognition.scene_tracker import SceneTracker
from privcam_recognition.subject_history import Subject

MODEL_ID = "privcam-rules/1"


class SubjectRules:
    """Applies the rules to one subject, and keeps its state between frames."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hysteresis = Hysteresis(settings)
        self._fall: Fall | None = None
        self._last_landing = -inf
        self._visible: Sequence[ActiveEvent] = ()

    def active_events(self, subject: Subject, seconds: float) -> Sequence[ActiveEvent]:
        """Return the events that hold now. Events of a subject out of sight continue until it is forgotten."""
        if not subject.moments:
            return []
        if subject.last == seconds:
            self._visible = [*self._find_posture(subject), *self._find_rise(subject, seconds)]
        return [*self._find_fall(subject, seconds), *self._visible]

    def state(self, seconds: float) -> tuple[str, float]:
        """Return the most serious label of the subject, and for how many seconds it has held."""
        return most_serious(self._fall, self._visible, seconds)

    @property
    def fallen(self) -> bool:
        """Whether a fall holds."""
        return self._fall is not None

    def lies(self, subject: Subject) -> bool:
        """Return whether a subject in view lies."""
        if not subject.moments:
            return subject.is_down
        return smoothed(subject.moments, self._settings).lying >= UNDECIDED

    def _find_posture(self, subject: Subject) -> Sequence[ActiveEvent]:
        now = subject.moments[-1]
        scores = label_scores(subject.moments, self._settings)
        held = self._hysteresis.update(now.seconds, scores)
        if held is None:
            return []
        label, since = held
        speed = travel_speed(subject.moments, self._settings) if label == "walking" else None
        evidence = posture_evidence(now.measures, label, speed, now.seconds - since)
        return [ActiveEvent(label, tuple(subject.ids[:1]), scores[label], since, evidence)]

    def _find_rise(self, subject: Subject, seconds: float) -> Sequence[ActiveEvent]:
        rise = find_rise(subject.moments, self._settings)
        if rise is None:
            return []
        ids = tuple(subject.ids[:1])
        return [ActiveEvent("getting_up", ids, rise.confidence, rise.started, rise_evidence(rise, seconds))]

    def _find_fall(self, subject: Subject, seconds: float) -> Sequence[ActiveEvent]:
        if self._fall is None:
            found = find_fall(subject.moments, seconds, self._settings)
            # A subject that lies down again has not fallen again, unless it came down since.
            if (
                found is not None
                and found.confidence >= self._settings.fall_confidence
                and found.started > self._last_landing
            ):
                self._fall, self._last_landing = found, found.landed
        elif landed_at(subject.moments, self._settings) is None:
            self._fall = None
        return fall_event(self._fall, subject, seconds)


def fall_event(fall: Fall | None, subject: Subject, seconds: float) -> Sequence[ActiveEvent]:
    """Return the event of a fall that holds at `seconds`, nothing without a fall."""
    if fall is None:
        return []
    evidence = fall_evidence(fall, subject.moments[-1].measures.torso_angle, seconds)
    return [ActiveEvent("fall", tuple(subject.ids), fall.confidence, fall.started, evidence)]


def most_serious(fall: Fall | None, active: Sequence[ActiveEvent], seconds: float) -> tuple[str, float]:
    """Return the label that a caption names for a subject, and for how many seconds it has held."""
    if fall is not None:
        return FALLEN, seconds - fall.landed
    if not active:
        return UNCLEAR, 0.0
    named = next((one for one in active if one.label == "getting_up"), active[0])
    return named.label, seconds - named.started


class RuleModel:
    """Recognises standing, walking, sitting, bending, lying, fall, long_lie and getting_up from the poses P.

    Time is camera time, so a recording gives the same result at any speed. Use one instance for each camera.
    """

    def __init__(self, settings: Settings = DEFAULT) -> None:
        self._settings = settings
        self._scene = SceneTracker(settings)
        self._rules: WeakKeyDictionary[Subject, SubjectRules] = WeakKeyDictionary()

    @property
    def model_id(self) -> str:
        """Name and version of the model."""
        return MODEL_ID

    def update(self, omega: Omega) -> SceneReport:
        """Take in the next frame and report the scene. See `Recognizer.update`."""
        seconds = self._scene.begin_frame(omega)
        subjects = self._scene.subjects
        for subject in subjects:
            rules = self._rules.setdefault(subject, SubjectRules(self._settings))
            self._scene.update_events(subject, rules.active_events(subject, seconds), seconds)
        self._scene.update_lasting(omega, lambda subject: self._rules[subject], seconds)
        states = [self._rules[subjects[pose.subject_id]].state(seconds) for pose in omega.poses]
        return self._scene.report(omega, states, self.model_id)
