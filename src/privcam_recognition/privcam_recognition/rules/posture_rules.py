"""Rules for postures, walking, falls and getting up.

A posture is a partition of 1: the torso is tilted or upright; upright is on straight legs (standing) or not (sitting);
tilted has low hips (lying) or not (bending). What cannot be seen counts as undecided, one half: a confidence
above one half always has a measured reason.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from privcam_recognition.features import Measures, ground_speed, peak_descent, recent, vertical_speed
from privcam_recognition.rules.rule_settings import Ramp, Settings

UNDECIDED = 0.5
# A descent starts where the torso is below its highest place by this fraction of the whole drop.
LEFT_THE_TOP = 0.1


@dataclass(frozen=True, slots=True)
class Posture:
    """How well each posture describes the body. Each in [0, 1], together 1."""

    standing: float
    sitting: float
    bending: float
    lying: float


@dataclass(frozen=True, slots=True)
class Moment:
    """The measures of one frame with the posture that they say."""

    measures: Measures
    posture: Posture

    @property
    def seconds(self) -> float:
        """Camera time in s."""
        return self.measures.seconds

    @property
    def lies(self) -> bool:
        """Whether this frame alone looks like lying."""
        return self.posture.lying >= UNDECIDED


@dataclass(frozen=True)
class Fall:
    """A descent that ended in lying. started, landed: camera time in s. speed: H/s. drop: H. confidence: [0, 1]."""

    started: float
    landed: float
    speed: float
    drop: float
    confidence: float


@dataclass(frozen=True)
class Rise:
    """A body on its way up from lying. started: camera time in s. risen: H so far. confidence: [0, 1]."""

    started: float
    risen: float
    confidence: float


def ramp(value: float, limits: Ramp) -> float:
    """Return how far `value` is on the way from the first limit (0) to the second (1); the second may be the lower."""
    absent, present = limits
    return min(1.0, max(0.0, (value - absent) / (present - absent)))


def posture(measures: Measures, settings: Settings) -> Posture:
    """Return the posture of one frame.

    Where no torso was seen only the box is used: the pose model often loses a body on the floor, the detector less so.
    """
    tilted = ramp(measures.aspect, settings.flat_body)
    if measures.torso_angle is not None:
        tilted = max(tilted, ramp(measures.torso_angle, settings.tilted_torso))
    if measures.extent is not None:
        tilted = max(tilted, ramp(measures.extent, settings.collapsed_extent))
    low = _mean_of_known(
        (measures.hip_height, settings.low_hips),
        (measures.aspect, settings.wide_body),
    )
    straight = _mean_of_known(
        (measures.hip_height, settings.raised_hips),
        (measures.thigh_drop, settings.steep_thigh),
        (measures.knee_angle, settings.straight_knee),
    )
    return Posture(
        standing=(1 - tilted) * straight,
        sitting=(1 - tilted) * (1 - straight),
        bending=tilted * (1 - low),
        lying=tilted * low,
    )


def smoothed(moments: Sequence[Moment], settings: Settings) -> Posture:
    """Return the mean posture over the last `smoothing_s`."""
    recently = [m.posture for m in recent(moments, settings.smoothing_s)]
    return Posture(
        standing=_mean(p.standing for p in recently),
        sitting=_mean(p.sitting for p in recently),
        bending=_mean(p.bending for p in recently),
        lying=_mean(p.lying for p in recently),
    )


def label_scores(moments: Sequence[Moment], settings: Settings) -> dict[str, float]:
    """Return the confidence of standing, walking, sitting, bending and lying now; together 1."""
    now = smoothed(moments, settings)
    speed = travel_speed(moments, settings)
    walks = 0.0 if speed is None else ramp(speed, settings.walking_speed)
    return {
        "standing": now.standing * (1 - walks),
        "walking": now.standing * walks,
        "sitting": now.sitting,
        "bending": now.bending,
        "lying": now.lying,
    }


def travel_speed(moments: Sequence[Moment], settings: Settings) -> float | None:
    """Return the speed of the body over the picture now, H/s, None where the torso was not seen."""
    return ground_speed([m.measures for m in recent(moments, settings.travel_s)])


def landed_at(moments: Sequence[Moment], settings: Settings) -> float | None:
    """Return since when (camera time, s) the subject lies without a break longer than `end_s`, None if it does not."""
    since, edge = None, moments[-1].seconds
    for moment in reversed(moments):
        if edge - moment.seconds > settings.end_s:
            break
        if moment.lies:
            since = edge = moment.seconds
    return since


def find_fall(moments: Sequence[Moment], now: float, settings: Settings) -> Fall | None:
    """Return the fall that ended in the present lying, once the subject has not been up again for `fall_confirm_s`.

    now: camera time in s; later than the last moment when the subject is lost. A subject that is lost while it lies
    still lies: detectors miss people on the floor more often than these get up out of sight.

    The torso must have been seen not lying before, have come down by `fall_drop` and at `fall_speed`: lying down on
    purpose is slower, and sitting down fast ends upright.
    """
    landed = landed_at(moments, settings)
    if landed is None:
        return None
    until = now if moments[-1].lies else max(m.seconds for m in moments if m.lies)
    if until - landed < settings.fall_confirm_s:
        return None
    before = [m for m in moments if 0 < landed - m.seconds <= settings.fall_span_s and m.measures.centre is not None]
    if all(m.lies for m in before):
        return None
    # The body still sinks while it already counts as lying.
    after = [m for m in moments if 0 <= m.seconds - landed <= settings.end_s and m.measures.centre is not None]
    way = [m.measures for m in before + after]
    speed = peak_descent(way, settings.descent_window_s, settings.pose_gap_s)
    if speed is None or not after:
        return None
    height_px = median(m.height_px for m in way)
    heights = [-_y(m) / height_px for m in way]
    top = max(heights[: len(before)])
    drop = top - min(heights[len(before) :])
    if drop <= 0:
        return None
    started = max(m.seconds for m, h in zip(before, heights, strict=False) if h >= top - LEFT_THE_TOP * drop)
    stayed = [m.posture.lying for m in moments if m.seconds >= landed]
    confidence = ramp(speed, settings.fall_speed) * ramp(drop, settings.fall_drop) * _mean(stayed)
    return Fall(started=started, landed=landed, speed=speed, drop=drop, confidence=confidence)


def find_rise(moments: Sequence[Moment], settings: Settings) -> Rise | None:
    """Return the getting up that goes on now, None when the subject lies, has settled, or never lay.

    It starts where the lying ended and needs the torso to be higher than it lay.
    """
    now = moments[-1].seconds
    moments = recent(moments, settings.getting_up_s + settings.travel_s)
    lay = [m for m in moments if m.lies and m.measures.centre is not None]
    if not lay or not settings.begin_s <= now - lay[-1].seconds <= settings.getting_up_s:
        return None
    left = lay[-1].seconds
    lately = [m.measures for m in lay if left - m.seconds <= settings.travel_s]
    centres = [m.measures for m in moments if m.seconds > left and m.measures.centre is not None]
    if lately[-1].seconds - lately[0].seconds < settings.begin_s or not centres:
        return None
    height = max(m.height_px for m in (lately[-1], centres[-1]))
    risen = (median(_y(m) for m in lately) - _y(centres[-1])) / height
    speed = vertical_speed(recent(centres, settings.smoothing_s))
    rises = speed is None or speed < -settings.rising_speed
    confidence = ramp(risen, settings.rise)
    if confidence == 0.0 or (confidence == 1.0 and not rises):
        return None
    return Rise(started=left, risen=risen, confidence=confidence)


def _y(measures: Measures) -> float:
    assert measures.centre is not None  # callers keep only measures with a centre
    return measures.centre[1]


def _mean_of_known(*quantities: tuple[float | None, Ramp]) -> float:
    known = [ramp(value, limits) for value, limits in quantities if value is not None]
    return _mean(known) if known else UNDECIDED


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
