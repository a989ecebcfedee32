"""The temporal model: what a network sees in the last seconds of each subject, made into happenings."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from privcam_cloud.recognition.duplicate_tracks import one_body
from privcam_cloud.recognition.evidence_text import fall_evidence, posture_evidence
from privcam_cloud.recognition.interactions.fight_detection import Scuffles
from privcam_cloud.recognition.interactions.hand_to_mouth import OFTEN, OVER_S, HandToMouth
from privcam_cloud.recognition.rules.loitering import Loiterer
from privcam_cloud.recognition.rules.posture_rules import Moment, travel_speed
from privcam_cloud.recognition.rules.rule_model import RuleModel, Watch
from privcam_cloud.recognition.rules.rule_settings import DEFAULT, Settings
from privcam_cloud.recognition.subject_history import Person
from privcam_cloud.recognition.temporal.descent import BEGIN, FallWatch
from privcam_cloud.recognition.temporal.temporal_network import SUBJECT_WEIGHTS, TemporalNetwork
from privcam_cloud.recognition.temporal.windows import STEP_S, window
from privcam_core.events.event_tracker import Claim
from privcam_core.events.scene_report import Event, Recognizer
from privcam_core.types.boxes import intersections
from privcam_core.types.omega import Environment, Omega

# Labels of the network. unclear: none of the others, or nobody can say; it is never reported.
LABELS = (
    "standing", "walking", "sitting", "sitting_down", "lying", "bending", "fall", "getting_up", "smoking_like",
    "unclear",
)  # fmt: skip
# Nothing is said any more of somebody who has been out of sight for so long, in s. Until then the window shows how the
# subject was lost, which for a fall is often all there is.
LOST_S = 2.0
# Who was last seen so near to somebody, H to the side, is behind or before them.
BEHIND_H = 0.25
# Who was last seen so near to an edge of the picture, H, may have gone out there: somebody who walks comes as far
# between two looks.
EDGE_H = 0.1


class TemporalModel(RuleModel):
    """Recognises LABELS from windows of poses and boxes, loitering from where a subject stays, and pushing_fighting.

    It follows people and numbers happenings as the rule model does, and takes from the network what the rules would
    have said. weights: see TemporalNetwork. One instance per camera.
    """

    def __init__(self, settings: Settings = DEFAULT, weights: Path = SUBJECT_WEIGHTS, *, threads: int = 1) -> None:
        super().__init__(settings)
        self._network = TemporalNetwork(weights, threads=threads)
        self._chances: WeakKeyDictionary[Person, Mapping[str, float]] = WeakKeyDictionary()
        self._falls: WeakKeyDictionary[Person, FallWatch] = WeakKeyDictionary()
        self._loiterers: WeakKeyDictionary[Person, Loiterer] = WeakKeyDictionary()
        self._mouths: WeakKeyDictionary[Person, HandToMouth] = WeakKeyDictionary()
        self._scuffles = Scuffles()
        self._looked = -np.inf

    @property
    def model_id(self) -> str:
        """Name and version of the network."""
        return self._network.weights.model_id

    @property
    def chances(self) -> list[tuple[tuple[int, ...], Mapping[str, float]]]:
        """The probability of each label for everybody who was looked at: (subject ids, label to probability)."""
        return [(tuple(person.ids), self._chances[person]) for person in self._people if person in self._chances]

    def _look(self, seconds: float, omega: Omega) -> None:
        # A window has a step every STEP_S: at higher frame rates there is nothing new in between.
        if seconds - self._looked < STEP_S - 1e-6:
            return
        self._looked = seconds
        people = [(p, p.height_px) for p in self._people if seconds - p.last <= LOST_S]
        seen = [(p, height) for p, height in people if height is not None]
        if not seen:
            return
        tracks = [p.memory.track() for p, _ in seen]
        windows = np.stack([window(t, height, seconds) for t, (_, height) in zip(tracks, seen, strict=True)])
        for (person, height), track, row in zip(seen, tracks, self._network(windows), strict=True):
            chances = dict(zip(self._network.weights.labels, row.tolist(), strict=True))
            self._chances[person] = chances
            lost = person.last < seconds
            self._falls.setdefault(person, FallWatch()).update(
                seconds,
                chances,
                track,
                height,
                hidden=lost and self._behind(person),
                at_edge=_at_edge(person, omega.environment, lost=lost),
            )

    def _behind(self, person: Person) -> bool:
        """Say whether somebody out of sight was last seen beside somebody else, who is surely there."""
        sure = [p.memory for p in self._people if p is not person and p.memory.was_sure]
        there = [(memory, box) for memory in sure if (box := memory.box_at(person.last)) is not None]
        if not there or person.height_px is None:
            return False
        margin = BEHIND_H * person.height_px
        near = np.array([person.box]) + np.array([-margin, 0.0, margin, 0.0])
        touching = intersections(near, np.array([box for _, box in there]))[0] > 0
        beside = [memory for (memory, _), touches in zip(there, touching, strict=True) if touches]
        track = person.memory.track()
        # A second track of the same body hides nobody.
        return not all(one_body(track, memory.track()) for memory in beside)

    def _among(self, seconds: float) -> list[Event]:
        here = [person for person in self._people if person.last == seconds]
        on_their_feet = [p for p in here if self._chances.get(p, {}).get("fall", 0.0) < BEGIN]
        over = self._scuffles.update(seconds, on_their_feet)
        events = [report for scuffle in over for report in self._events.close(scuffle, seconds)]
        for scuffle in self._scuffles.going:
            events += self._events.update(scuffle, [scuffle.claim], seconds)
        return events

    def _posture(
        self, person: Person, watch: Watch, ids: tuple[int, ...], moments: Sequence[Moment]
    ) -> Sequence[Claim]:
        chances = self._chances.get(person)
        if chances is None:
            return []
        scores = {label: chance for label, chance in chances.items() if label not in ("fall", "unclear")}
        # Who has fallen lies.
        scores["lying"] += chances["fall"]
        now = moments[-1]
        mouth = self._mouths.setdefault(person, HandToMouth())
        mouth.update(now.seconds, person.memory.newest, now.measures.height_px)
        if (often := mouth.count(now.seconds)) < OFTEN:
            scores["smoking_like"] = 0.0
        claims = []
        held = watch.hysteresis.update(now.seconds, scores)
        if held is not None:
            label, since = held
            speed = travel_speed(moments, self._settings) if label == "walking" else None
            evidence = posture_evidence(now.measures, label, speed, now.seconds - since)
            if label == "smoking_like":
                evidence = f"hand to mouth {often} times within {OVER_S:.0f} s, {evidence}"
            claims.append(Claim(label, ids, min(1.0, scores[label]), since, evidence))
        label = "" if held is None else held[0]
        loiterer = self._loiterers.setdefault(person, Loiterer())
        claims += loiterer.update(ids, now.seconds, person.place, now.measures.height_px, label)
        return claims

    def _fall(
        self, person: Person, watch: Watch, ids: tuple[int, ...], moments: Sequence[Moment], seconds: float
    ) -> Sequence[Claim]:
        found = self._falls.get(person)
        watch.fall = None if found is None else found.fall
        if watch.fall is None:
            return []
        evidence = fall_evidence(watch.fall, moments[-1].measures.torso_angle, seconds)
        return [Claim("fall", ids, watch.fall.confidence, watch.fall.started, evidence)]

    def _rise(self, _ids: tuple[int, ...], _moments: Sequence[Moment], _seconds: float) -> Sequence[Claim]:
        return []  # getting_up is one of the network's labels


def _at_edge(person: Person, picture: Environment, *, lost: bool) -> bool:
    """Say whether somebody in sight is cut off by the lower edge of the picture, or, lost, was at that or at a side."""
    x0, _, x1, y1 = person.box
    if not lost or person.height_px is None:
        return y1 >= picture.height
    margin = EDGE_H * person.height_px
    return x0 <= margin or x1 >= picture.width - margin or y1 >= picture.height - margin


# What can be chosen; the first is the default.
MODELS: dict[str, Callable[[], Recognizer]] = {"temporal": TemporalModel, "rules": RuleModel}
