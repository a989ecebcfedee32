"""Keeps what a query about the newest Ω of one camera needs: its picture, and the motion of the last seconds."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, degrees

import numpy as np

from privcam_core.images.environment import FILL, decode_environment
from privcam_core.types.arrays import Image
from privcam_core.types.omega import Omega, SubjectPose
from privcam_core.types.skeleton import Joint, midpoint
from privcam_core.types.time import NS_PER_S

# One picture shows no motion. The positions of each trunk over this time, in s, tell a fall from lying.
MEMORY_S = 3.0
# Time between two kept positions, in s.
STEP_S = 0.3


@dataclass(frozen=True)
class Trunk:
    """A past position of a trunk. stamp_ns: camera time. hips: x, y in px. tilt: degrees from upright, 0 to 180."""

    subject_id: int
    stamp_ns: int
    hips: tuple[float, float]
    tilt: float


@dataclass(frozen=True, eq=False)
class Moment:
    """An Ω, the picture of its environment, and earlier trunks. png: empty while the picture has not come."""

    omega: Omega
    png: bytes
    before: Sequence[Trunk]


class SceneHistory:
    """Takes every Ω of one camera in the order of κ, cheaply, and keeps the picture and trunks of the newest."""

    def __init__(self) -> None:
        self._picture = b"", b""  # digest, PNG
        self._trunks: deque[list[Trunk]] = deque()
        self._kept_ns = 0

    def add(self, omega: Omega) -> Moment:
        """Take the next Ω and return its moment."""
        environment, stamp_ns = omega.environment, omega.key.stamp_ns
        if environment.png:
            self._picture = environment.digest, environment.png
        while self._trunks and stamp_ns - self._trunks[0][0].stamp_ns > MEMORY_S * NS_PER_S:
            self._trunks.popleft()
        before = [trunk for step in self._trunks for trunk in step]
        if stamp_ns - self._kept_ns >= STEP_S * NS_PER_S:
            self._kept_ns = stamp_ns
            seen = [trunk for pose in omega.poses if (trunk := trunk_of(pose, stamp_ns)) is not None]
            if seen:
                self._trunks.append(seen)
        digest, png = self._picture
        # The picture of another environment would be wrong here.
        return Moment(omega, png if digest == environment.digest else b"", before)


def trunk_of(pose: SubjectPose, stamp_ns: int) -> Trunk | None:
    """Return the trunk of a pose, None where shoulders or hips are not seen."""
    shoulders = midpoint(pose.keypoints, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
    hips = midpoint(pose.keypoints, Joint.LEFT_HIP, Joint.RIGHT_HIP)
    if shoulders is None or hips is None:
        return None
    x, y = (float(v) for v in hips)
    tilt = degrees(atan2(abs(float(shoulders[0]) - x), y - float(shoulders[1])))
    return Trunk(pose.subject_id, stamp_ns, (x, y), tilt)


class EnvironmentPicture:
    """Decodes the picture of the environment once while it stays the same."""

    def __init__(self) -> None:
        self._decoded: tuple[bytes, Image] | None = None

    def decode(self, moment: Moment) -> Image:
        """Return the environment, (H, W, 3) uint8 BGR, filled where it is not confirmed, and while it has not come."""
        environment = moment.omega.environment
        if not moment.png:
            return np.full((environment.height, environment.width, 3), FILL, np.uint8)
        if self._decoded is None or self._decoded[0] != environment.digest:
            self._decoded = environment.digest, decode_environment(moment.png)[0]
        return self._decoded[1]
