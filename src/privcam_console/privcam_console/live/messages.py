"""The messages of the live view as values. What each is for: docs/console.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from privcam_core.events.scene_report import Phase
from privcam_core.types.sight import Sight

PROTOCOL = 1
# Fractions of the picture, and confidences, are sent in steps of 1 / PARTS.
PARTS = 1000
# ε is sent in steps of 1 / EPSILON_PARTS.
EPSILON_PARTS = 100

# Position of a joint in steps, None where it is not visible.
Position = tuple[int, int] | None


class Kind(IntEnum):
    """First byte of a message."""

    HELLO = 1
    ENV = 2
    POSE = 3
    REPORT = 4
    STATE = 5


class State(IntEnum):
    """What the server knows of a camera, by its own monotonic clock."""

    OFFLINE = 0  # nothing has come for long, or never
    STALE = 1  # nothing has come for some seconds
    BLIND = 2  # Ω come, but the camera cannot see
    LIVE = 3


@dataclass(frozen=True)
class Hello:
    """What a client needs before anything else.

    width, height: of the environment, px. step_px: positions are in units of so many px. joints: keypoints of a
    subject, in the order of COCO-17. schema: of Ω.
    """

    camera_id: str
    width: int
    height: int
    joints: int
    step_px: int
    schema: int


@dataclass(frozen=True)
class Env:
    """Which environment picture holds from now on. digest: 32 bytes; the picture is at /env/<digest>."""

    digest: bytes


@dataclass(frozen=True)
class Subject:
    """One subject of a POSE. Lengths and positions in steps.

    stature: how tall the subject would stand; widths of the body are fractions of it. joints: one position each. box:
    x0, y0, x1, y1 of a subject of which too little is seen for a figure, else None.
    """

    subject_id: int
    layer: int
    stature: int
    joints: tuple[Position, ...]
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Pose:
    """One Ω, as far as it is drawn. Subjects are in the order of their layers, the farthest first.

    stamp_ms: capture time, ms since the epoch. passed: the verdict is PASS. withheld: of the picture, in 1 / PARTS.
    epsilon: in 1 / EPSILON_PARTS, None without accounting. replay: nothing of it happens now. unseen: people who did
    not leave, and whom nothing finds.
    """

    frame_id: int
    stamp_ms: int
    passed: bool
    sight: Sight
    withheld: int
    epsilon: int | None
    replay: bool
    subjects: tuple[Subject, ...]
    unseen: int = 0


@dataclass(frozen=True)
class ReportedEvent:
    """One event of a REPORT.

    alarm: somebody has to look now. confidence: in 1 / PARTS. start_ms: camera time, ms since the epoch.
    """

    event_id: int
    label: str
    phase: Phase
    alarm: bool
    confidence: int
    subject_ids: tuple[int, ...]
    start_ms: int
    evidence: str


@dataclass(frozen=True)
class Report:
    """The events that the cloud reports now."""

    replay: bool
    events: Sequence[ReportedEvent]


@dataclass(frozen=True)
class CameraState:
    """Whether what was sent is of now.

    sight: why it is blind. age_ms: since the last Ω came, 0 if none ever did. recognised: reports come too; without
    them nobody would be alarmed.
    """

    state: State
    sight: Sight
    age_ms: int
    recognised: bool


Message = Hello | Env | Pose | Report | CameraState
