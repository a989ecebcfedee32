"""Gives each event a number and reports its start, its continuation and its end once each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from privcam_core.events.scene_report import Event, Phase
from privcam_core.types.time import NS_PER_S

# A track that breaks again and again must not make the list of its ids grow for ever.
MAX_IDS = 8


def merge_ids(newest: Iterable[int], before: Iterable[int]) -> tuple[int, ...]:
    """Return the subject ids of an event, the newest first and each once, at most MAX_IDS."""
    return tuple(dict.fromkeys((*newest, *before)))[:MAX_IDS]


@dataclass(frozen=True)
class ActiveEvent:
    """An event that holds for one subject or place now.

    subject_ids: under which the subject was seen, the present one first. started: camera time in s.
    confidence: [0, 1]. evidence: measured quantities in one sentence.
    """

    label: str
    subject_ids: tuple[int, ...]
    confidence: float
    started: float
    evidence: str


@dataclass
class _Numbered:
    event_id: int
    active: ActiveEvent


class EventTracker:
    """Numbers events and reports each as STARTED once, as ONGOING while it is active, and as ENDED once.

    An event belongs to an owner, for example a subject: any object, compared by identity. Times are camera seconds
    after `origin_ns` (ns since the epoch).
    """

    def __init__(self, origin_ns: int) -> None:
        self._origin_ns = origin_ns
        self._open: dict[tuple[object, str], _Numbered] = {}
        self._last_id = 0

    def update(self, owner: object, active: Sequence[ActiveEvent], seconds: float) -> list[Event]:
        """Report which events of one owner end, start and continue now. `active`: all that hold at `seconds`."""
        events = []
        labels = {one.label for one in active}
        for key in [key for key in self._open if key[0] is owner and key[1] not in labels]:
            events.append(self._report(self._open.pop(key), Phase.ENDED, seconds))
        for one in active:
            numbered = self._open.get((owner, one.label))
            if numbered is None:
                self._last_id += 1
                numbered = self._open[owner, one.label] = _Numbered(self._last_id, one)
                events.append(self._report(numbered, Phase.STARTED, seconds))
            else:
                before = numbered.active
                ids = merge_ids(one.subject_ids, before.subject_ids)
                # The start was reported already; everything else may still change.
                numbered.active = replace(one, subject_ids=ids, started=before.started)
                events.append(self._report(numbered, Phase.ONGOING, seconds))
        return events

    def close(self, owner: object, seconds: float) -> list[Event]:
        """Report the end of all events of an owner that was last seen at `seconds`."""
        return self.update(owner, (), seconds)

    def join(self, older: object, newer: object, seconds: float) -> list[Event]:
        """Give the events of `newer` to `older`, because both are the same subject.

        An event that both have open continues as the one of `older`. Return the events that end by this.
        """
        ended = []
        for owner, label in [key for key in self._open if key[0] is newer]:
            numbered = self._open.pop((owner, label))
            if (older, label) in self._open:
                ended.append(self._report(numbered, Phase.ENDED, seconds))
            else:
                self._open[older, label] = numbered
        return ended

    def _report(self, numbered: _Numbered, phase: Phase, seconds: float) -> Event:
        active = numbered.active
        start_ns = self._origin_ns + round(active.started * NS_PER_S)
        return Event(
            label=active.label,
            confidence=active.confidence,
            subject_ids=active.subject_ids,
            event_id=numbered.event_id,
            phase=phase,
            start_ns=start_ns,
            end_ns=max(start_ns, self._origin_ns + round(seconds * NS_PER_S)),
            evidence=active.evidence,
        )
