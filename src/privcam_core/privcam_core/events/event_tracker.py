"""Events that begin once and end once, numbered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from privcam_core.events.scene_report import Event, Phase

# A track that breaks again and again must not make the list of its ids grow for ever.
MAX_IDS = 8


@dataclass(frozen=True)
class Claim:
    """What holds for one person now.

    subject_ids: under which it was seen, the present one first. started: camera time in s. confidence: [0, 1].
    """

    label: str
    subject_ids: tuple[int, ...]
    confidence: float
    started: float
    evidence: str


@dataclass
class _Open:
    event_id: int
    claim: Claim


class EventLog:
    """Numbers happenings and reports each as STARTED once, ONGOING while claimed, ENDED once.

    Persons are known by any hashable token; times are camera seconds after `origin_ns` (ns since the epoch).
    """

    def __init__(self, origin_ns: int) -> None:
        self._origin_ns = origin_ns
        self._open: dict[tuple[object, str], _Open] = {}
        self._last_id = 0

    def update(self, person: object, claims: Sequence[Claim], seconds: float) -> list[Event]:
        """Report what the claims about one person begin, continue and end. A happening not claimed again ends now."""
        events = []
        claimed = {claim.label for claim in claims}
        for owner, label in [key for key in self._open if key[0] is person and key[1] not in claimed]:
            events.append(self._report(self._open.pop((owner, label)), Phase.ENDED, seconds))
        for claim in claims:
            happening = self._open.get((person, claim.label))
            if happening is None:
                self._last_id += 1
                happening = self._open[person, claim.label] = _Open(self._last_id, claim)
                events.append(self._report(happening, Phase.STARTED, seconds))
            else:
                before = happening.claim
                ids = tuple(dict.fromkeys(claim.subject_ids + before.subject_ids))[:MAX_IDS]
                # The start was reported; what is learned later may change all but that.
                happening.claim = replace(claim, subject_ids=ids, started=before.started)
                events.append(self._report(happening, Phase.ONGOING, seconds))
        return events

    def close(self, person: object, seconds: float) -> list[Event]:
        """Report the end of all happenings of a person last seen at `seconds`."""
        return self.update(person, (), seconds)

    def join(self, older: object, newer: object, seconds: float) -> list[Event]:
        """Give the happenings of `newer` to `older`, who is the same; what both had open goes on as the older one."""
        ended = []
        for owner, label in [key for key in self._open if key[0] is newer]:
            happening = self._open.pop((owner, label))
            if (older, label) in self._open:
                ended.append(self._report(happening, Phase.ENDED, seconds))
            else:
                self._open[older, label] = happening
        return ended

    def _report(self, happening: _Open, phase: Phase, seconds: float) -> Event:
        claim = happening.claim
        start_ns = self._origin_ns + round(claim.started * 1e9)
        return Event(
            label=claim.label,
            confidence=claim.confidence,
            subject_ids=claim.subject_ids,
            event_id=happening.event_id,
            phase=phase,
            start_ns=start_ns,
            end_ns=max(start_ns, self._origin_ns + round(seconds * 1e9)),
            evidence=claim.evidence,
        )
