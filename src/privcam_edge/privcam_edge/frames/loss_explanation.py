"""Finds the node that lost a frame of a lossless graph, by what all nodes report of themselves."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

# The nodes of the edge, in the order in which a frame passes them.
CHAIN = ("detector", "tracker", "pose", "eraser", "composer", "embedder", "omega")
# A node reports every second.
_SILENT_S = 4.0
_REMEDY = "use fewer in_flight or a longer retention_s, or a faster machine"


@dataclass(frozen=True)
class _Report:
    text: str
    counts: Mapping[str, str]
    came_s: float

    def count(self, name: str) -> int:
        value = self.counts.get(name, "0")
        return int(value) if value.isdecimal() else 0


class LossExplainer:
    """Keeps the last report of each node of the chain, and says which one a frame did not get past."""

    def __init__(self) -> None:
        self._reports: dict[str, _Report] = {}

    def note(self, node: str, text: str, counts: Mapping[str, str]) -> None:
        """Take the report of a node. counts: its counters as in the diagnostics."""
        self._reports[node] = _Report(text, counts, time.monotonic())

    def explain(self) -> str:
        """Return the first node of the chain with a fault, what it was, and the remedy."""
        if not self._reports:
            return f"no node has reported anything yet; {_REMEDY}"
        # By the newest report, not by the clock: where the host is busy, all come late.
        newest_s = max(report.came_s for report in self._reports.values())
        for node in CHAIN:
            report = self._reports.get(node)
            if report is None or newest_s - report.came_s > _SILENT_S:
                return f"{node} does not report {'any more' if report else 'yet'}; look into its log, or {_REMEDY}"
            if report.count("errors"):
                return f"{node} failed: {report.text}"
            if late := report.count("overwritten"):
                return f"{node} came too late to {late} frames, which were overwritten; {_REMEDY}"
        # Who waits in vain for a part blames the one before it.
        handled = [(node, self._reports[node].count("frames")) for node in CHAIN]
        slowest = min(handled, key=lambda one: one[1])
        return f"{slowest[0]} handled only {slowest[1]} frames; {_REMEDY}"
