"""From scores that flicker to happenings that begin once and end once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from privcam_cloud.recognition.base import Behavior, Phase
from privcam_cloud.recognition.people import MAX_IDS
from privcam_cloud.recognition.settings import Settings


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


class Hysteresis:
    """Turns the scores of labels that exclude each other into at most one that holds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._label: str | None = None
        self._since = 0.0
        self._held = 0.0
        self._candidate: tuple[str, float] | None = None

    def update(self, seconds: float, scores: Mapping[str, float]) -> tuple[str, float] | None:
        """Return the label that holds and since when (s), None while nothing does. scores: label to [0, 1]."""
        best = max(scores, key=lambda label: scores[label])
        if scores[best] < self._settings.begin or best == self._label:
            self._candidate = None
        elif self._candidate is None or self._candidate[0] != best:
            self._candidate = best, seconds
        if self._label is not None and scores.get(self._label, 0.0) >= self._settings.hold:
            self._held = seconds
        if self._candidate is not None and seconds - self._candidate[1] >= self._settings.begin_s:
            (self._label, self._since), self._candidate = self._candidate, None
            self._held = seconds
        elif self._label is not None and seconds - self._held >= self._settings.end_s:
            self._label = None
        return None if self._label is None else (self._label, self._since)


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

    def update(self, person: object, claims: Sequence[Claim], seconds: float) -> list[Behavior]:
        """Report what the claims about one person begin, continue and end. A happening not claimed again ends now."""
        behaviors = []
        claimed = {claim.label for claim in claims}
        for owner, label in [key for key in self._open if key[0] is person and key[1] not in claimed]:
            behaviors.append(self._report(self._open.pop((owner, label)), Phase.ENDED, seconds))
        for claim in claims:
            happening = self._open.get((person, claim.label))
            if happening is None:
                self._last_id += 1
                happening = self._open[person, claim.label] = _Open(self._last_id, claim)
                behaviors.append(self._report(happening, Phase.STARTED, seconds))
            else:
                before = happening.claim
                ids = tuple(dict.fromkeys(claim.subject_ids + before.subject_ids))[:MAX_IDS]
                # The start was reported; what is learned later may change all but that.
                happening.claim = replace(claim, subject_ids=ids, started=before.started)
                behaviors.append(self._report(happening, Phase.ONGOING, seconds))
        return behaviors

    def close(self, person: object, seconds: float) -> list[Behavior]:
        """Report the end of all happenings of a person last seen at `seconds`."""
        return self.update(person, (), seconds)

    def join(self, older: object, newer: object, seconds: float) -> list[Behavior]:
        """Give the happenings of `newer` to `older`, who is the same; what both had open goes on as the older one."""
        ended = []
        for owner, label in [key for key in self._open if key[0] is newer]:
            happening = self._open.pop((owner, label))
            if (older, label) in self._open:
                ended.append(self._report(happening, Phase.ENDED, seconds))
            else:
                self._open[older, label] = happening
        return ended

    def _report(self, happening: _Open, phase: Phase, seconds: float) -> Behavior:
        claim = happening.claim
        start_ns = self._origin_ns + round(claim.started * 1e9)
        return Behavior(
            label=claim.label,
            confidence=claim.confidence,
            subject_ids=claim.subject_ids,
            event_id=happening.event_id,
            phase=phase,
            start_ns=start_ns,
            end_ns=max(start_ns, self._origin_ns + round(seconds * 1e9)),
            evidence=claim.evidence,
        )
