"""The input of the generative reconstruction: one moment as the cloud knows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from privcam_core.events.scene_report import ALARMS, Event, Phase
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import SubjectPose, SyncKey


@dataclass(frozen=True, eq=False)
class ReconstructionInput:
    """The content of the newest Ω and report. environment: (H, W, 3) uint8 BGR. confirmed_mask: (H, W) bool."""

    key: SyncKey
    environment: Image
    confirmed_mask: BoolArray
    poses: Sequence[SubjectPose]
    events: Sequence[Event] = ()

    def alarms(self) -> set[int]:
        """Return the event ids of the alarms that have not ended."""
        return {b.event_id for b in self.events if b.label in ALARMS and b.phase is not Phase.ENDED}
