"""Keeps what every recognition model needs between frames: camera time, the subjects, and their numbered events."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from privcam_core.events.event_tracker import ActiveEvent, EventTracker
from privcam_core.events.scene_report import CANNOT_SEE, Event, RecognizedObject, SceneReport
from privcam_core.types.omega import Omega, SubjectPose, SyncKey
from privcam_core.types.sight import Sight, is_blind
from privcam_recognition.evidence_text import scene_caption, sight_evidence, why_uncertain
from privcam_recognition.rules.long_lie import LongLie, LongLieDetector, Sighting
from privcam_recognition.rules.rule_settings import Settings
from privcam_recognition.states.room_states import RoomStates
from privcam_recognition.states.view import View
from privcam_recognition.subject_history import Subject, SubjectHistory
from privcam_recognition.temporal.visibility import is_at_edge


class SubjectState(Protocol):
    """What a model knows of one subject."""

    @property
    def fallen(self) -> bool:
        """Whether a fall holds."""

    def lies(self, subject: Subject) -> bool:
        """Return whether a subject in view lies."""

    def state(self, seconds: float) -> tuple[str, float]:
        """Return the most serious label of the subject, and for how many seconds it has held."""


class SceneTracker:
    """Follows the subjects of one camera and collects the events of each frame.

    For every frame call `begin_frame`, then `update_events` and `close_events`, then `report`.
    """

    def __init__(self, settings: Settings) -> None:
        self.subjects = SubjectHistory(settings)
        self._first: SyncKey | None = None
        self._last: SyncKey | None = None
        self._tracker = EventTracker(0)
        self._events: list[Event] = []
        self._sight = Sight.UNKNOWN
        self._blind_since: float | None = None
        self._long_lies = LongLieDetector()
        self._states = RoomStates()

    def begin_frame(self, omega: Omega) -> float:
        """Take in the poses of the next frame and return its camera time in s since the first frame.

        Raises ValueError for a frame of another camera, or one that is not newer than the last.
        """
        seconds = self._advance(omega.key)
        changes = self.subjects.update(seconds, omega.poses)
        self._events = []
        for subject in changes.forgotten:
            self.close_events(subject, subject.last)
        for older, newer in changes.joined:
            self._events += self._tracker.join(older, newer, seconds)
        self._update_sight(omega.privacy.sight, seconds)
        return seconds

    def update_events(self, owner: object, active: Sequence[ActiveEvent], seconds: float) -> None:
        """Record which events hold for a subject or place now, and why they may be wrong; its other events end."""
        keypoints = owner.track_buffer.newest if isinstance(owner, Subject) and active else None
        note = "" if owner is self else why_uncertain(self._sight, keypoints)
        active = [replace(one, evidence=one.evidence + note) for one in active] if note else active
        self._events += self._tracker.update(owner, active, seconds)

    def close_events(self, owner: object, seconds: float) -> None:
        """Record the end of all events of a subject or place that was last seen at `seconds`."""
        self._events += self._tracker.close(owner, seconds)

    def update_lasting(self, omega: Omega, state_of: Callable[[Subject], SubjectState], seconds: float) -> None:
        """Record who is down and does not get up, and the states of the room that last."""
        ended = self._update_long_lies(omega, state_of, seconds)
        in_view = [subject for subject in self.subjects if subject.last == seconds]
        views = [
            View(subject, state.state(seconds)[0], state.fallen or state.lies(subject))
            for subject, state in ((subject, state_of(subject)) for subject in in_view)
        ]
        is_somebody_down = any(lie.is_certain for lie in self._long_lies.active)
        for owner, active in self._states.update(
            seconds,
            views,
            list(self.subjects),
            risen=[lie for lie in ended if lie.has_risen],
            must_be_occupied=is_somebody_down or self._blind_since is not None,
            unseen_people=omega.privacy.unseen_people,
        ):
            self.update_events(owner, active, seconds)

    def _update_long_lies(
        self, omega: Omega, state_of: Callable[[Subject], SubjectState], seconds: float
    ) -> Sequence[LongLie]:
        """Record the long lies; return those that are over. Out of sight, only who has fallen is known to be down."""
        sightings = []
        for subject in self.subjects:
            state, in_view = state_of(subject), subject.last == seconds
            at_edge = is_at_edge(subject, omega.environment, lost=True)
            # Whoever comes down at an edge and is lost there may have walked out.
            if in_view or (state.fallen and not at_edge):
                sightings.append(Sighting(subject, state.fallen or state.lies(subject), at_edge))
        ended = self._long_lies.update(seconds, sightings)
        for lie in ended:
            self.close_events(lie, seconds)
        for lie in self._long_lies.active:
            event = lie.event(seconds)
            self.update_events(lie, [] if event is None else [event], seconds)
        return ended

    def report(self, omega: Omega, states: Sequence[tuple[str, float]], model_id: str) -> SceneReport:
        """Return the report of this frame. states: label and seconds so far, of each subject in view."""
        return SceneReport(
            key=omega.key,
            objects=[_object_from_pose(pose) for pose in omega.poses],
            events=self._events,
            caption=scene_caption(states, omega.privacy.sight),
            model_id=model_id,
        )

    def _update_sight(self, sight: Sight, seconds: float) -> None:
        """Record that the camera cannot see: nobody who relies on this report is told of people there."""
        self._sight = sight
        active: list[ActiveEvent] = []
        if is_blind(sight):
            self._blind_since = seconds if self._blind_since is None else self._blind_since
            evidence = sight_evidence(sight, seconds - self._blind_since)
            active.append(ActiveEvent(CANNOT_SEE, (), 1.0, self._blind_since, evidence))
        else:
            self._blind_since = None
        self.update_events(self, active, seconds)

    def _advance(self, key: SyncKey) -> float:
        if self._first is None or self._last is None:
            self._first = key
            self._tracker = EventTracker(key.stamp_ns)
        elif key.camera_id != self._first.camera_id:
            raise ValueError(
                f"key.camera_id: {key.camera_id} given to the model of {self._first.camera_id}; use one each"
            )
        elif key.stamp_ns <= self._last.stamp_ns:
            raise ValueError(
                f"key.stamp: {key.stamp_ns} ns is not after {self._last.stamp_ns} ns; give frames in order"
            )
        self._last = key
        return (key.stamp_ns - self._first.stamp_ns) / 1e9


def _object_from_pose(pose: SubjectPose) -> RecognizedObject:
    """Return the person of a pose; its confidence is the mean ρ of the keypoints, the only score that Ω carries."""
    return RecognizedObject("person", float(pose.keypoints[:, 2].mean()), pose.subject_id, pose.box)
