"""Plays the contour view of one camera: selects the moment of camera time on the screen, and draws it."""

from collections.abc import Sequence

import numpy as np

from privcam_cloud.reconstruction.caption_layout import Caption, Status
from privcam_cloud.reconstruction.contour_view import ContourView
from privcam_cloud.reconstruction.interpolation import Interpolator
from privcam_cloud.reconstruction.reconstruction_input import ReconstructionInput
from privcam_core.events.scene_report import ALARMS, OCCUPIED, Event, Phase, SceneReport
from privcam_core.images.environment import FILL, decode_environment
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import Omega
from privcam_core.types.sight import describe_sight, is_blind
from privcam_core.types.time import NS_PER_S

# The screen is this many frame intervals behind the newest frame, so that the next one is there to move towards.
DELAY_INTERVALS = 1.5
# With two frames per second a gateway is slow, and people still move on the screen.
MAX_GAP_S = 1.0
# Farther from where it should be than this, the screen jumps instead of running faster or slower.
JUMP_S = 1.0
# Stamps that are further ahead than this, in ns, are of another epoch of the camera's clock, or behind a long gap.
EPOCH_NS = 60 * NS_PER_S
# Fewer poses per second are said on the screen: somebody who keeps still gets two where there is time for them.
FEW_POSES_HZ = 2.0
# Fraction of the distance to where it should be that is corrected per second.
CATCH_UP_PER_S = 0.5


class PlayoutBuffer:
    """Takes Ω and reports as they come, and draws the picture of now. Times `now_s` are monotonic seconds."""

    def __init__(self, *, scale: float = 1.0) -> None:
        self._view = ContourView(scale=scale)
        self._interpolator = Interpolator(max_gap_s=MAX_GAP_S)
        self._environment = b"", False  # digest of the environment on the screen, and whether its picture came
        self._plate: tuple[Image, BoolArray] | None = None  # the environment on the screen, once its picture came
        self._validity = 0.0
        self._events: Sequence[Event] = ()
        self._moment_ns = 0.0
        self._asked_s: float | None = None
        self.newest: Omega | None = None

    def add_omega(self, omega: Omega) -> None:
        """Take the next Ω. Its environment is known by digest, or comes with it."""
        newest = self._interpolator.newest_ns
        if self.is_replay != omega.privacy.replay:
            self._interpolator.clear()
            self._events = ()
        elif newest is not None and not newest < omega.key.stamp_ns <= newest + EPOCH_NS:
            self._interpolator.clear()
        environment = omega.environment
        digest, known = self._environment
        if environment.digest != digest or (environment.png and not known):
            if environment.png:
                plate, confirmed_mask = self._plate = decode_environment(environment.png)
            else:
                self._plate = None
                # Its picture has not come yet, and the one before shows another environment. People are drawn.
                confirmed_mask = np.zeros((environment.height, environment.width), np.bool_)
                plate = np.full((*confirmed_mask.shape, 3), FILL, np.uint8)
            self._view.set_environment(plate, confirmed_mask)
            self._environment = environment.digest, bool(environment.png)
        self._validity = environment.confirmed_fraction
        self._interpolator.add(omega.key.stamp_ns, omega.poses)
        self.newest = omega

    def set_report(self, report: SceneReport) -> None:
        """Take the newest report of what is shown: live, or the replay."""
        self._events = report.events

    @property
    def is_replay(self) -> bool:
        """Whether the newest Ω is of a replay."""
        return self.newest is not None and self.newest.privacy.replay

    def draw(self, now_s: float) -> tuple[int, Image] | None:
        """Return the moment shown (camera time, ns) and its picture, uint8 BGR; None before the first environment."""
        if self.newest is None or not self._view.ready:
            return None
        moment_ns = self._advance(now_s)
        poses = self._interpolator.at(moment_ns)
        captions = make_captions(self._events)
        status = Status(
            self.newest.key.camera_id,
            moment_ns,
            self._validity,
            self.notes,
            alarm=self.sight_alarm,
            replay=self.is_replay,
        )
        return moment_ns, self._view.render(poses, captions, status)

    @property
    def sight_alarm(self) -> str:
        """Why the camera cannot see, "" while it can. Of the newest Ω: an alarm does not wait for the screen."""
        if self.newest is None or not is_blind(self.newest.privacy.sight):
            return ""
        return f"CANNOT SEE: {describe_sight(self.newest.privacy.sight)}"

    @property
    def notes(self) -> str:
        """What a person has to know who sees few people move, or nobody: few poses, and people whom nothing finds."""
        unseen = 0 if self.newest is None else self.newest.privacy.unseen_people
        return ", ".join(filter(None, (f"{unseen} not found" if unseen else "", self.few_poses_note)))

    @property
    def few_poses_note(self) -> str:
        """How often the edge estimates poses where that is seldom and somebody is in view, else ""."""
        if self.newest is None or not self.newest.poses or not 0 < self.newest.privacy.pose_hz < FEW_POSES_HZ:
            return ""
        return f"poses {self.newest.privacy.pose_hz:g}/s"

    def reconstruction_input(self) -> ReconstructionInput | None:
        """Return the newest moment; None while the picture of its environment has not come."""
        if self.newest is None or self._plate is None:
            return None
        return ReconstructionInput(self.newest.key, *self._plate, self.newest.poses, self._events)

    def _advance(self, now_s: float) -> int:
        newest_ns = self._interpolator.newest_ns or 0
        wanted_ns = newest_ns - DELAY_INTERVALS * self._interpolator.interval_ns
        passed_s = 0.0 if self._asked_s is None else now_s - self._asked_s
        self._asked_s = now_s
        moment_ns = self._moment_ns + passed_s * NS_PER_S
        distance_ns = wanted_ns - moment_ns
        if abs(distance_ns) > JUMP_S * NS_PER_S:
            moment_ns = wanted_ns
        else:
            moment_ns += distance_ns * min(1.0, CATCH_UP_PER_S * passed_s)
        # Never ahead of the newest frame: while a link stalls, the picture stands still and does not become empty.
        self._moment_ns = min(moment_ns, float(newest_ns))
        return int(self._moment_ns)


def make_captions(events: Sequence[Event]) -> list[Caption]:
    """Return one caption for each subject and event that has not ended, but not for what holds of the room."""
    return [
        Caption(subject_id, event.label.replace("_", " "), alarm=event.label in ALARMS)
        for event in events
        if event.phase is not Phase.ENDED and event.label != OCCUPIED
        for subject_id in event.subject_ids
    ]
