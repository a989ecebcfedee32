"""From single answers to reports in which a happening keeps its number."""

from collections import defaultdict

from privcam_core.events.event_tracker import ActiveEvent, EventTracker
from privcam_core.events.scene_report import Event, SceneReport
from privcam_core.types.omega import SyncKey
from privcam_core.types.time import NS_PER_S
from privcam_vlm.protocol.answer import Answer

# A model sees one picture. It measured nothing, and its report must not look as if it had.
EVIDENCE = "what the model says of one picture"


class Reports:
    """Makes the reports of one camera: what is said again of the same subjects is the same happening."""

    def __init__(self, model_id: str) -> None:
        self._model_id = model_id
        self._log: EventTracker | None = None
        self._origin_ns = 0
        # EventLog tells persons apart by identity: these are its tokens for those of whom something is being said.
        self._groups: dict[tuple[int, ...], tuple[int, ...]] = {}

    def report(self, key: SyncKey, answer: Answer) -> SceneReport:
        """Return the report of one answer about the Ω with this κ, which is newer than the one before."""
        if self._log is None:
            self._log, self._origin_ns = EventTracker(key.stamp_ns), key.stamp_ns
        seconds = (key.stamp_ns - self._origin_ns) / NS_PER_S
        claims = defaultdict(list)
        for said in answer.statements:
            group = self._groups.setdefault(said.subject_ids, said.subject_ids)
            claims[group].append(ActiveEvent(said.label, group, said.confidence, seconds, EVIDENCE))
        events: list[Event] = []
        for group in self._groups.values():
            events += self._log.update(group, claims.get(group, ()), seconds)
        self._groups = {group: group for group in claims}
        return SceneReport(key, answer.objects, events, answer.caption, self._model_id)
