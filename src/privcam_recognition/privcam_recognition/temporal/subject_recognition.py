"""Recognises the events of one subject from the probabilities of the temporal network."""

from collections.abc import Mapping, Sequence

from privcam_core.events.event_tracker import ActiveEvent
from privcam_recognition.evidence_text import posture_evidence
from privcam_recognition.interactions.hand_to_mouth import MIN_COUNT, PERIOD_S, HandToMouth
from privcam_recognition.rules.hysteresis import Hysteresis
from privcam_recognition.rules.loitering import LoiteringDetector
from privcam_recognition.rules.posture_rules import UNDECIDED, travel_speed
from privcam_recognition.rules.rule_model import fall_event, most_serious
from privcam_recognition.rules.rule_settings import Settings
from privcam_recognition.subject_history import Subject
from privcam_recognition.temporal.descent import FallWatch


class SubjectRecognition:
    """State of one subject between frames.

    probabilities: the newest output of the network by label, None before the first. falls: its falls.
    """

    def __init__(self, settings: Settings) -> None:
        self.probabilities: Mapping[str, float] | None = None
        self.falls = FallWatch()
        self._settings = settings
        self._hysteresis = Hysteresis(settings)
        self._hand_to_mouth = HandToMouth()
        self._loitering = LoiteringDetector()
        self._visible: Sequence[ActiveEvent] = ()

    def active_events(self, subject: Subject, seconds: float) -> Sequence[ActiveEvent]:
        """Return the events that hold now. Events of a subject out of sight continue until it is forgotten."""
        if not subject.moments:
            return []
        if subject.last == seconds:
            self._visible = self._find_visible(subject)
        return [*fall_event(self.falls.fall, subject, seconds), *self._visible]

    @property
    def fallen(self) -> bool:
        """Whether a fall holds."""
        return self.falls.fall is not None

    def lies(self, subject: Subject) -> bool:
        """Return whether a subject in view lies."""
        if self.probabilities is None:
            return subject.is_down
        return self.probabilities["lying"] + self.probabilities["fall"] >= UNDECIDED

    def state(self, seconds: float) -> tuple[str, float]:
        """Return the most serious label of the subject, and for how many seconds it has held."""
        return most_serious(self.falls.fall, self._visible, seconds)

    def _find_visible(self, subject: Subject) -> Sequence[ActiveEvent]:
        """Return the posture and loitering of a subject in view. `getting_up` is one of the network's labels."""
        if self.probabilities is None:
            return []
        ids, now = tuple(subject.ids[:1]), subject.moments[-1]
        scores = {
            label: probability for label, probability in self.probabilities.items() if label not in ("fall", "unclear")
        }
        # A subject that has fallen lies.
        scores["lying"] += self.probabilities["fall"]
        self._hand_to_mouth.update(now.seconds, subject.track_buffer.newest, now.measures.height_px)
        count = self._hand_to_mouth.count(now.seconds)
        if count < MIN_COUNT:
            scores["smoking_like"] = 0.0
        active = []
        held = self._hysteresis.update(now.seconds, scores)
        if held is not None:
            label, since = held
            speed = travel_speed(subject.moments, self._settings) if label == "walking" else None
            evidence = posture_evidence(now.measures, label, speed, now.seconds - since)
            if label == "smoking_like":
                evidence = f"hand to mouth {count} times within {PERIOD_S:.0f} s, {evidence}"
            active.append(ActiveEvent(label, ids, min(1.0, scores[label]), since, evidence))
        label = "" if held is None else held[0]
        active += self._loitering.update(ids, now.seconds, subject.place, now.measures.height_px, label)
        return active
