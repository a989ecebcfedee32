"""The anonymous frame: proxies over the environment."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from privcam_core.images import decode_environment
from privcam_core.omega import Environment, SubjectPose
from privcam_core.proxy import overlay

Image = npt.NDArray[np.uint8]


class UnknownEnvironment(Exception):
    """The environment is known by digest only, and its picture has not come yet."""


class Composer:
    """Ĩ = Overlay(Ī, {A}; π), Eq. 4. Knows the environment as the cloud will: from its PNG alone."""

    def __init__(self) -> None:
        self._digest = b""
        self._plate: Image = np.zeros((0, 0, 3), np.uint8)

    def __call__(self, environment: Environment, poses: Sequence[SubjectPose]) -> Image:
        """Return Ĩ, (H, W, 3) uint8 BGR.

        Raises UnknownEnvironment if the digest is not that of the newest PNG.
        """
        if environment.png and environment.digest != self._digest:
            self._plate, _ = decode_environment(environment.png)
            self._digest = environment.digest
        if environment.digest != self._digest:
            raise UnknownEnvironment(f"environment {environment.digest.hex()[:12]}: its picture has not come yet")
        return overlay(self._plate, poses)
