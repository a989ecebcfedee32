"""Runs a recogniser on a labelled clip and matches the reported events with the labels."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from privcam_core.events.scene_report import Phase, Recognizer
from privcam_core.types.omega import Omega
from privcam_evaluation.recognition.labelled_clips import Clip, fall_seconds, faller, seconds_of
from privcam_recognition.rules.long_lie import LABEL as LONG_LIE
from privcam_recognition.temporal.temporal_model import TemporalModel

# The kinds of clips, by label and by reported events, the most serious kind first.
KINDS = ("fall", "fight", "smoking", "ordinary")
_KIND_OF_LABEL = {"fall": "fall", "fight": "fight", "smoking": "smoking"}
_KIND_OF_EVENT = {"fall": "fall", "pushing_fighting": "fight", "smoking_like": "smoking"}
# A fall may be reported this long before its label, which a person set at the start of the movement.
EARLY_S = 0.3
# For the calibration a fall lasts from the middle of its label until this long after; later frames do not count.
FALL_FOR_S = 1.5
# A fall that was missed was not in view when in fewer than half of the Ω, from its begin until this long after its end,
# s, anybody was.
IN_VIEW_UNTIL_S = 2.0


@dataclass(frozen=True)
class ReportedEvent:
    """One event that the recogniser reported. reported: time of the first report, s since the clip began."""

    label: str
    reported: float
    confidence: float


@dataclass
class ClipResult:
    """The output of a recogniser for one clip.

    fall_s: begin and end of the fall that the clip shows. probabilities: (probability of a fall, whether it was one) of
    every subject and frame. seconds: computing time of the recogniser. subject_frames: sum over frames of the subjects
    in them. length_s: of the clip. in_view: of every Ω during the fall and shortly after it, whether anybody was in it.
    """

    clip: Clip
    fall_s: tuple[float, float] | None = None
    events: list[ReportedEvent] = field(default_factory=list)
    probabilities: list[tuple[float, bool]] = field(default_factory=list)
    seconds: float = 0.0
    subject_frames: int = 0
    length_s: float = 0.0
    in_view: list[bool] = field(default_factory=list)

    @property
    def falls(self) -> list[ReportedEvent]:
        """The falls that were reported."""
        return [one for one in self.events if one.label == "fall"]

    @property
    def long_lies(self) -> list[ReportedEvent]:
        """The reports of somebody who is down and was not seen to get up."""
        return [one for one in self.events if one.label == LONG_LIE]

    @property
    def fights(self) -> bool:
        """Whether a fight was reported, also beside other events."""
        return any(one.label == "pushing_fighting" for one in self.events)

    @property
    def hit(self) -> ReportedEvent | None:
        """The report of the fall that the clip shows, None where there is none."""
        if self.clip.label != "fall":
            return None
        begins = 0.0 if self.fall_s is None else self.fall_s[0] - EARLY_S
        return next((one for one in self.falls if one.reported >= begins), None)

    @property
    def cause_of_miss(self) -> str | None:
        """Why the fall was missed: `not_in_view` (the edge found nobody) or `recogniser`; None where nothing was."""
        if self.clip.label != "fall" or self.hit is not None:
            return None
        return "recogniser" if 2 * sum(self.in_view) >= len(self.in_view) else "not_in_view"

    @property
    def false_alarms(self) -> int:
        """Falls that were reported and are not the one that the clip shows."""
        return len(self.falls) - (self.hit is not None)

    @property
    def delay_s(self) -> float | None:
        """From the body at rest to the report, s; negative where the report came on the way down."""
        if self.hit is None or self.fall_s is None:
            return None
        return self.hit.reported - self.fall_s[1]

    @property
    def true_kind(self) -> str:
        """The kind of the clip by its label, one of KINDS."""
        return _KIND_OF_LABEL.get(self.clip.label, "ordinary")

    @property
    def reported_kind(self) -> str:
        """The kind of the clip by the reported events, one of KINDS."""
        reported_kind = {_KIND_OF_EVENT[one.label] for one in self.events if one.label in _KIND_OF_EVENT}
        return next((true_kind for true_kind in KINDS if true_kind in reported_kind), "ordinary")


def match_events(clip: Clip, omegas: Sequence[Omega], model: Recognizer) -> ClipResult:
    """Run the recogniser over the Ω of a clip and return its events, probabilities and computing time."""
    results, who = ClipResult(clip, fall_seconds(clip, omegas)), faller(clip, omegas)
    for omega in omegas:
        now = seconds_of(omega)
        started = time.perf_counter()
        report = model.update(omega)
        results.seconds += time.perf_counter() - started
        results.subject_frames += len(omega.poses)
        results.length_s = now
        if results.fall_s is not None and results.fall_s[0] <= now <= results.fall_s[1] + IN_VIEW_UNTIL_S:
            results.in_view.append(bool(omega.poses))
        for event in report.events:
            if event.phase is Phase.STARTED:
                results.events.append(ReportedEvent(event.label, now, event.confidence))
        if isinstance(model, TemporalModel):
            results.probabilities += _fall_probabilities(results.fall_s, who, now, model)
    return results


def _fall_probabilities(
    fall_s: tuple[float, float] | None, who: int | None, now: float, model: TemporalModel
) -> list[tuple[float, bool]]:
    known = []
    for ids, probabilities in model.probabilities:
        falls: bool | None = False
        if fall_s is not None and who in ids:
            start, end = fall_s
            falls = False if now < start else True if (start + end) / 2 <= now <= end + FALL_FOR_S else None
        if falls is not None:
            known.append((probabilities["fall"], falls))
    return known
