"""Makes reports from single replies; an event keeps its number from one report to the next."""

from collections import defaultdict

from privcam_core.events.event_tracker import ActiveEvent, EventTracker
from privcam_core.events.scene_report import Event, SceneReport
from privcam_core.types.omega import SyncKey
from privcam_core.types.time import NS_PER_S
from privcam_vlm.protocol.reply import Reply

# A model sees one picture and measures nothing; its report must not suggest measurements.
EVIDENCE = "what the model says of one picture"


class Reports:
    """Makes the reports of one camera: the same label for the same subjects again is the same event."""

    def __init__(self, model_id: str) -> None:
        self._model_id = model_id
        self._tracker: EventTracker | None = None
        self._origin_ns = 0
        # EventTracker compares owners by identity: these are the owners, one for each group of subjects in a statement.
        self._groups: dict[tuple[int, ...], tuple[int, ...]] = {}

    def report(self, key: SyncKey, reply: Reply) -> SceneReport:
        """Return the report of one reply about the Ω with this κ, which is newer than the one before."""
        if self._tracker is None:
            self._tracker, self._origin_ns = EventTracker(key.stamp_ns), key.stamp_ns
        seconds = (key.stamp_ns - self._origin_ns) / NS_PER_S
        active = defaultdict(list)
        for statement in reply.statements:
            group = self._groups.setdefault(statement.subject_ids, statement.subject_ids)
            active[group].append(ActiveEvent(statement.label, group, statement.confidence, seconds, EVIDENCE))
        events: list[Event] = []
        for group in self._groups.values():
            events += self._tracker.update(group, active.get(group, ()), seconds)
        self._groups = {group: group for group in active}
        return SceneReport(key, reply.objects, events, reply.caption, self._model_id)
