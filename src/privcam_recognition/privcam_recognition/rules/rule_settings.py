"""Every threshold of the rule model, with its unit and its reason."""

from dataclasses import dataclass

# A soft threshold: the measured value at which a property is certainly absent, and at which it is certainly present.
Ramp = tuple[float, float]


@dataclass(frozen=True)
class Settings:
    """Thresholds of the rule model. H: the subject's own body height in the picture. Angles in degrees, times in s."""

    # Postures
    tilted_torso: Ramp = (35.0, 60.0)  # deg from vertical: walkers lean up to 20, a lying torso is near 90
    collapsed_extent: Ramp = (0.55, 0.40)  # H: a subject that lies along the line of sight is short, not tilted
    low_hips: Ramp = (0.32, 0.16)  # H over the ankles: 0.5 standing, 0.25 on a chair, 0 lying
    flat_body: Ramp = (1.1, 1.6)  # width over height: wide enough to lie, whatever the torso seems to do
    wide_body: Ramp = (0.8, 1.5)  # width over height of the whole body: 0.3 standing, 3 lying across the view
    raised_hips: Ramp = (0.27, 0.37)  # H over the ankles: 0.25 on a chair, 0.4 to 0.5 on straight legs
    steep_thigh: Ramp = (0.09, 0.17)  # H from hip down to knee: 0.245 standing, about 0 on a chair
    straight_knee: Ramp = (110.0, 145.0)  # deg: 90 on a chair, 180 standing, about 140 in mid-stride
    walking_speed: Ramp = (0.12, 0.30)  # H/s: a slow walk is 0.4, a person who shifts from foot to foot below 0.1

    # Time over which a value is taken
    smoothing_s: float = 0.5  # a posture is the mean over this: longer than a glitch of the pose model
    travel_s: float = 1.0  # walking is the way made in this: about two steps, so that swaying cancels
    descent_window_s: float = 0.35  # vertical speed is the slope over this: 2 frames at 5 frames/s, half of a fall
    pose_gap_s: float = 0.5  # a descent in a gap without poses counts as made in this: about what a fall takes

    # Fall
    fall_speed: Ramp = (0.30, 0.60)  # H/s of the torso downwards: lying down with care 0.3, falls off a chair from 0.45
    fall_drop: Ramp = (0.12, 0.25)  # H that the torso came down; from a chair about 0.25, from standing 0.45
    fall_span_s: float = 2.5  # from upright to down; a fall takes under 1, the rest is for frames without a pose
    fall_confirm_s: float = 1.0  # down for this long: a subject that stumbles or kneels is up again
    fall_confidence: float = 0.4  # report a fall from here: below it, one of speed, drop and lying is hardly there
    rise: Ramp = (0.08, 0.20)  # H that the torso came up from lying: turning over is below, sitting up reaches 0.2
    rising_speed: float = 0.08  # H/s upwards: slower than this a body that has risen has arrived
    getting_up_s: float = 4.0  # from lying to upright again in at most this much, else it is not one movement

    # Events
    begin: float = 0.5  # confidence at which an event can begin …
    hold: float = 0.35  # … and below which it ends; the gap keeps a borderline value from flickering
    begin_s: float = 0.4  # … when it lasts this long, and longer than one bad frame at 5 frames/s
    end_s: float = 0.6  # … when it has been below `hold` this long

    # Memory
    memory_s: float = 8.0  # measures kept per subject: a descent with what came before and after
    max_samples: int = 512  # measures kept per subject at any frame rate (64 frames/s for `memory_s`)
    forget_s: float = 5.0  # a subject not seen this long is forgotten and its events end
    rejoin_s: float = 3.0  # a new subject continues one lost at most this long ago …
    rejoin_growth: float = 2.0  # … with a box whose diagonal differs by at most this factor …
    rejoin_reach: float = 0.8  # … and at most this many H away: a falling body moves that far while the track is lost
    height_s: float = 4.0  # body height is a high percentile over this, so that one foreshortened pose does not count

    def __post_init__(self) -> None:
        if not 0.0 <= self.hold <= self.begin <= 1.0:
            raise ValueError(f"settings: needs 0 <= hold <= begin <= 1, got hold {self.hold}, begin {self.begin}")
        if self.memory_s < self.fall_span_s + self.fall_confirm_s:
            raise ValueError("settings: memory_s is shorter than a fall with its confirmation, no fall could be found")


DEFAULT = Settings()
