"""Turns scores that flicker into one label that holds."""

from collections.abc import Mapping

from privcam_recognition.rules.rule_settings import Settings


class Hysteresis:
    """Selects at most one of several labels that exclude each other."""

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
