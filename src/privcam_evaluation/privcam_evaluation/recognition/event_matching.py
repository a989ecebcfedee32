"""What a model says of a labelled clip, frame by frame, and what of it is right."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from privcam_cloud.recognition.temporal.temporal_model import TemporalModel
from privcam_core.events.scene_report import Phase, Recognizer
from privcam_core.types.omega import Omega
from privcam_evaluation.recognition.labelled_clips import Clip, faller, seconds_of

# What a clip as a whole shows, by its label, and by the happenings that a model reports, the most serious first.
KINDS = ("fall", "fight", "smoking", "ordinary")
_OF_LABEL = {"fall": "fall", "fight": "fight", "smoking": "smoking"}
_OF_HAPPENING = {"fall": "fall", "pushing_fighting": "fight", "smoking_like": "smoking"}
# A fall may be reported a little before its mark, which is the start of the movement as somebody saw it.
EARLY_S = 0.3
# Somebody who fell counts as falling from the middle of the way down until so long after; what is later is neither.
FALL_FOR_S = 1.5


@dataclass(frozen=True)
class Happening:
    """One event. reported: when the first report of it came, s since the clip began."""

    label: str
    reported: float
    confidence: float


@dataclass
class Seen:
    """What a model said of one clip.

    chances: (probability of a fall, whether it was one) of every look. seconds: that the model took for the clip.
    looks: frames times subjects in them.
    """

    clip: Clip
    happenings: list[Happening] = field(default_factory=list)
    chances: list[tuple[float, bool]] = field(default_factory=list)
    seconds: float = 0.0
    looks: int = 0

    @property
    def falls(self) -> list[Happening]:
        """The falls that were reported."""
        return [one for one in self.happenings if one.label == "fall"]

    @property
    def fights(self) -> bool:
        """Whether a fight was reported, whatever else was: somebody may fall in it."""
        return any(one.label == "pushing_fighting" for one in self.happenings)

    @property
    def hit(self) -> Happening | None:
        """The report of the fall that the clip shows, None where there is none."""
        if self.clip.label != "fall":
            return None
        begins = 0.0 if self.clip.fall is None else self.clip.fall[0] / self.clip.rate - EARLY_S
        return next((one for one in self.falls if one.reported >= begins), None)

    @property
    def false_alarms(self) -> int:
        """Falls that were reported and are not the one that the clip shows."""
        return len(self.falls) - (self.hit is not None)

    @property
    def delay_s(self) -> float | None:
        """From the body at rest to the report, s; negative where the report came on the way down."""
        if self.hit is None or self.clip.fall is None:
            return None
        return self.hit.reported - self.clip.fall[1] / self.clip.rate

    @property
    def kind(self) -> str:
        """What the clip shows, one of KINDS."""
        return _OF_LABEL.get(self.clip.label, "ordinary")

    @property
    def said(self) -> str:
        """What the model says that it shows, one of KINDS."""
        said = {_OF_HAPPENING[one.label] for one in self.happenings if one.label in _OF_HAPPENING}
        return next((kind for kind in KINDS if kind in said), "ordinary")


def watch(clip: Clip, omegas: Sequence[Omega], model: Recognizer) -> Seen:
    """Let a model see a clip, and return what it said."""
    seen, who = Seen(clip), faller(clip, omegas)
    for omega in omegas:
        now = seconds_of(omega)
        started = time.perf_counter()
        report = model.update(omega)
        seen.seconds += time.perf_counter() - started
        seen.looks += len(omega.poses)
        for event in report.events:
            if event.phase is Phase.STARTED:
                seen.happenings.append(Happening(event.label, now, event.confidence))
        if isinstance(model, TemporalModel):
            seen.chances += _chances(clip, who, now, model)
    return seen


def _chances(clip: Clip, who: int | None, now: float, model: TemporalModel) -> list[tuple[float, bool]]:
    known = []
    for ids, chances in model.chances:
        falls: bool | None = False
        if clip.fall is not None and who in ids:
            start, end = (frame / clip.rate for frame in clip.fall)
            falls = False if now < start else True if (start + end) / 2 <= now <= end + FALL_FOR_S else None
        if falls is not None:
            known.append((chances["fall"], falls))
    return known
