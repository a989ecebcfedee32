"""What is remembered of one camera, so that a question can be asked about its newest Ω at any time."""

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

# One picture shows no motion. The way of each trunk over these last seconds tells a fall from somebody who lies there.
MEMORY_S, STEP_S = 3.0, 0.3


@dataclass(frozen=True)
class Trunk:
    """Where a subject's trunk was. stamp_ns: camera time. hips: x, y in px. tilt: degrees from upright, 0 to 180."""

    subject_id: int
    stamp_ns: int
    hips: tuple[float, float]
    tilt: float


@dataclass(frozen=True, eq=False)
class Moment:
    """An Ω, the picture of its room, and what was before. png: empty while the picture has not come."""

    omega: Omega
    png: bytes
    before: Sequence[Trunk]


class Scene:
    """Takes every Ω of one camera in the order of κ, cheaply, and keeps what belongs to the newest."""

    def __init__(self) -> None:
        self._picture = b"", b""  # digest, PNG
        self._trunks: deque[list[Trunk]] = deque()
        self._kept_ns = 0

    def take(self, omega: Omega) -> Moment:
        """Take the next Ω and return the moment that it is."""
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
        # The picture of another room would be a lie about this one.
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


class Room:
    """Opens the picture of the room once for as long as it is the same."""

    def __init__(self) -> None:
        self._shown: tuple[bytes, Image] | None = None

    def plate(self, moment: Moment) -> Image:
        """Return (H, W, 3) uint8 BGR: the picture of the room, the fill where it is not confirmed or not there."""
        environment = moment.omega.environment
        if not moment.png:
            return np.full((environment.height, environment.width, 3), FILL, np.uint8)
        if self._shown is None or self._shown[0] != environment.digest:
            self._shown = environment.digest, decode_environment(moment.png)[0]
        return self._shown[1]
