"""The result of recognition, and the interface of every recognition model."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from privcam_core.types.arrays import Box
from privcam_core.types.omega import Omega, SyncKey

# An event of the whole scene, without subjects: the camera cannot see, so whoever is there may go unnoticed.
CANNOT_SEE = "cannot_see"
# It holds of the room, and of nobody in it alone.
OCCUPIED = "occupied"
# Somebody is there whom nothing finds; which of those who were seen is not known.
OUT_OF_SIGHT = "out_of_sight"
# Labels of events that a person has to look at now.
ALARMS = frozenset({"fall", "long_lie", "pushing_fighting", CANNOT_SEE})


class Phase(IntEnum):
    """State of an event in a report; the values are those of `privcam_msgs/Event`."""

    ONGOING = 0  # holds now; its end is not known
    STARTED = 1  # first report of the event
    ENDED = 2  # last report of the event


@dataclass(frozen=True)
class RecognizedObject:
    """A recognised object. box: x0, y0, x1, y1 px. confidence: [0, 1]. subject_id 0: not a tracked subject."""

    label: str
    confidence: float
    subject_id: int
    box: Box


@dataclass(frozen=True)
class Event:
    """One event as it stands in one report.

    confidence: [0, 1]. subject_ids: at least one; more where a broken track was joined; none of CANNOT_SEE and of
    OUT_OF_SIGHT. event_id: from 1, the same in all reports of one event. start_ns, end_ns: camera time in ns since the
    epoch; end_ns is the report's own time while the phase is not ENDED. evidence: measured quantities in one sentence.
    """

    label: str
    confidence: float
    subject_ids: tuple[int, ...]
    event_id: int
    phase: Phase
    start_ns: int
    end_ns: int
    evidence: str

    def __post_init__(self) -> None:
        if not self.subject_ids and self.label not in (CANNOT_SEE, OUT_OF_SIGHT):
            raise ValueError(f"event {self.label!r}: subject_ids is empty, name at least one subject")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"event {self.label!r}: confidence {self.confidence} is not in [0, 1]")
        if self.end_ns < self.start_ns:
            raise ValueError(f"event {self.label!r}: ends {self.start_ns - self.end_ns} ns before it starts")


@dataclass(frozen=True)
class SceneReport:
    """Objects and events of one frame. caption: one sentence for the operator. model_id: name and version."""

    key: SyncKey
    objects: Sequence[RecognizedObject]
    events: Sequence[Event]
    caption: str
    model_id: str


class Recognizer(Protocol):
    """The model M of Eq. 8: from Ω to the objects R, the events A and their confidences C.

    A recognizer keeps state: give it the Ω of one camera in the order of κ.
    """

    @property
    def model_id(self) -> str:
        """Name and version of the model."""
        ...

    def update(self, omega: Omega) -> SceneReport:
        """Process the next Ω and return the report of its frame.

        Raises:
            ValueError: `omega` is of another camera than the ones before, or not newer than the last one.
        """
        ...
