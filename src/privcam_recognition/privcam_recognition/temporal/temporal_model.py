"""The temporal model: recognises events from what a network reads in the last seconds of each subject."""

from collections.abc import Mapping
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from privcam_core.events.scene_report import SceneReport
from privcam_core.types.omega import Environment, Omega
from privcam_recognition.interactions.fight_detection import FightDetector
from privcam_recognition.rules.rule_settings import DEFAULT, Settings
from privcam_recognition.scene_tracker import SceneTracker
from privcam_recognition.subject_history import Subject
from privcam_recognition.temporal.descent import BEGIN
from privcam_recognition.temporal.subject_recognition import SubjectRecognition
from privcam_recognition.temporal.temporal_network import SUBJECT_WEIGHTS, TemporalNetwork
from privcam_recognition.temporal.visibility import is_at_edge, is_behind_another
from privcam_recognition.temporal.windows import STEP_S, window

# Labels of the network. unclear: none of the others; it is never reported.
LABELS = (
    "standing", "walking", "sitting", "sitting_down", "lying", "bending", "fall", "getting_up", "smoking_like",
    "unclear",
)  # fmt: skip
# The network is not asked about a subject that has been out of sight for longer than this, in s. Until then the window
# shows how the subject was lost, which for a fall is often all there is.
LOST_S = 2.0


class TemporalModel:
    """Recognises LABELS from windows of poses and boxes, loitering from where a subject stays,
    pushing_fighting, and long_lie.

    weights: see TemporalNetwork. Use one instance for each camera.
    """

    def __init__(self, settings: Settings = DEFAULT, weights: Path = SUBJECT_WEIGHTS, *, threads: int = 1) -> None:
        self._settings = settings
        self._scene = SceneTracker(settings)
        self._network = TemporalNetwork(weights, threads=threads)
        self._recognitions: WeakKeyDictionary[Subject, SubjectRecognition] = WeakKeyDictionary()
        self._fights = FightDetector()
        self._predicted = -np.inf

    @property
    def model_id(self) -> str:
        """Name and version of the network."""
        return self._network.weights.model_id

    @property
    def probabilities(self) -> list[tuple[tuple[int, ...], Mapping[str, float]]]:
        """The probability of each label for every subject that the network saw: (subject ids, label to probability)."""
        return [
            (tuple(subject.ids), probabilities)
            for subject in self._scene.subjects
            if (probabilities := self._recognition(subject).probabilities) is not None
        ]

    def update(self, omega: Omega) -> SceneReport:
        """Take in the next frame and report the scene. See `Recognizer.update`."""
        seconds = self._scene.begin_frame(omega)
        # A window has a step every STEP_S: at higher frame rates there is nothing new in between.
        if seconds - self._predicted >= STEP_S - 1e-6:
            self._predicted = seconds
            self._predict(seconds, omega.environment)
        subjects = self._scene.subjects
        for subject in subjects:
            active = self._recognition(subject).active_events(subject, seconds)
            self._scene.update_events(subject, active, seconds)
        self._update_fights(seconds)
        self._scene.update_lasting(omega, self._recognition, seconds)
        states = [self._recognition(subjects[pose.subject_id]).state(seconds) for pose in omega.poses]
        return self._scene.report(omega, states, self.model_id)

    def _recognition(self, subject: Subject) -> SubjectRecognition:
        return self._recognitions.setdefault(subject, SubjectRecognition(self._settings))

    def _predict(self, seconds: float, picture: Environment) -> None:
        """Run the network for all subjects at once, and update their falls."""
        recent = [(one, one.height_px) for one in self._scene.subjects if seconds - one.last <= LOST_S]
        measured = [(subject, height) for subject, height in recent if height is not None]
        if not measured:
            return
        tracks = [subject.track_buffer.track() for subject, _ in measured]
        windows = np.stack([window(t, height, seconds) for t, (_, height) in zip(tracks, measured, strict=True)])
        rows = self._network.predict(windows)
        for (subject, height), track, row in zip(measured, tracks, rows, strict=True):
            recognition = self._recognition(subject)
            recognition.probabilities = dict(zip(self._network.weights.labels, row.tolist(), strict=True))
            lost = subject.last < seconds
            recognition.falls.update(
                seconds,
                recognition.probabilities,
                track,
                height,
                hidden=lost and is_behind_another(subject, self._scene.subjects),
                at_edge=is_at_edge(subject, picture, lost=lost),
            )

    def _update_fights(self, seconds: float) -> None:
        upright = [
            subject
            for subject in self._scene.subjects
            if subject.last == seconds and (self._recognition(subject).probabilities or {}).get("fall", 0.0) < BEGIN
        ]
        for fight in self._fights.update(seconds, upright):
            self._scene.close_events(fight, seconds)
        for fight in self._fights.active:
            self._scene.update_events(fight, [fight.event], seconds)
