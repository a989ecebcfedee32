"""The anonymous frame: proxies over the environment."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from privcam_core.drawing.proxy import overlay
from privcam_core.images.environment import decode_environment
from privcam_core.types.omega import Environment, SubjectPose

Image = npt.NDArray[np.uint8]


class UnknownEnvironment(Exception):
    """The environment is known by digest only, and its picture has not come yet."""


class PictureKeeper:
    """Makes sure that every picture gets out with some Ω.

    A new environment comes with its PNG once, and the frame that brought it may be dropped on its way: then the next
    frame with the same digest carries it.
    """

    def __init__(self) -> None:
        self._newest: Environment | None = None
        self._passed_on = b""

    def remember(self, environment: Environment) -> None:
        """Take note of an environment as soon as it comes, whatever becomes of its frame."""
        if environment.png:
            self._newest = environment

    def complete(self, environment: Environment) -> Environment:
        """Return the environment of a frame that goes out, with its picture if that has not gone out yet."""
        newest = self._newest
        missing = not environment.png and environment.digest != self._passed_on
        if missing and newest is not None and newest.digest == environment.digest:
            environment = replace(environment, png=newest.png)
        if environment.png:
            self._passed_on = environment.digest
        return environment


class Composer:
    """Ĩ = Overlay(Ī, {A}; π), Eq. 4. Knows the environment as the cloud will: from its PNG alone."""

    def __init__(self) -> None:
        self._digest = b""
        self._plate: Image = np.zeros((0, 0, 3), np.uint8)

    def learn(self, environment: Environment) -> None:
        """Take the picture of an environment, if it has one."""
        if environment.png and environment.digest != self._digest:
            self._plate, _ = decode_environment(environment.png)
            self._digest = environment.digest

    def compose(self, environment: Environment, poses: Sequence[SubjectPose]) -> Image:
        """Return Ĩ, (H, W, 3) uint8 BGR.

        Raises UnknownEnvironment if the digest is not that of the newest PNG.
        """
        self.learn(environment)
        if environment.digest != self._digest:
            raise UnknownEnvironment(f"environment {environment.digest.hex()[:12]}: its picture has not come yet")
        return overlay(self._plate, poses)
