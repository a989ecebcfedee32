"""What recognition answers, and the interface that every recognising model has."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from privcam_core.types.arrays import Box
from privcam_core.types.omega import Omega, SyncKey


class Phase(IntEnum):
    """Where a happening stands; the values are those of `privcam_msgs/Behavior`."""

    ONGOING = 0  # holds now, end not known
    STARTED = 1  # this report is the first of it
    ENDED = 2  # this report closes it


@dataclass(frozen=True)
class RecognizedObject:
    """Something seen in the scene. box: x0, y0, x1, y1 px. confidence: [0, 1]. subject_id 0: not a tracked subject."""

    label: str
    confidence: float
    subject_id: int
    box: Box


@dataclass(frozen=True)
class Event:
    """One happening as it stands in one report.

    confidence: [0, 1]. subject_ids: at least one; more where a broken track was joined. event_id: from 1, the same in
    all reports of one happening. start_ns, end_ns: camera time in ns since the epoch; end_ns is the report's own time
    while the phase is not ENDED. evidence: measured quantities in one sentence.
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
        if not self.subject_ids:
            raise ValueError(f"behavior {self.label!r}: subject_ids is empty, name at least one subject")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"behavior {self.label!r}: confidence {self.confidence} is not in [0, 1]")
        if self.end_ns < self.start_ns:
            raise ValueError(f"behavior {self.label!r}: ends {self.start_ns - self.end_ns} ns before it starts")


@dataclass(frozen=True)
class SceneReport:
    """What was recognised in one frame. caption: one sentence for a person. model_id: name and version."""

    key: SyncKey
    objects: Sequence[RecognizedObject]
    events: Sequence[Event]
    caption: str
    model_id: str


class Recognizer(Protocol):
    """The model M of Eq. 8: from Ω to the objects R, the behaviours A and their confidences C.

    A recognizer remembers what it saw: give it the Ω of one camera in the order of κ.
    """

    @property
    def model_id(self) -> str:
        """Name and version of the model."""
        ...

    def update(self, omega: Omega) -> SceneReport:
        """Take in the next frame and report the scene as it stands.

        Raises:
            ValueError: `omega` is of another camera than the ones before, or not newer than the last one.
        """
        ...
