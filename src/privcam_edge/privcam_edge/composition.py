"""Composes the anonymous frame: proxies drawn over the environment."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from privcam_core.drawing.proxy import overlay
from privcam_core.images.environment import decode_environment
from privcam_core.types.arrays import Image
from privcam_core.types.omega import Environment, SubjectPose


class UnknownEnvironment(Exception):
    """Only the digest of the environment is known; its picture has not arrived yet."""


class PictureKeeper:
    """Makes sure that every picture leaves with some Ω.

    The PNG of a new environment comes with one frame, and that frame may be dropped in the graph. Then the next frame
    with the same digest carries the PNG.
    """

    def __init__(self) -> None:
        self._newest: Environment | None = None
        self._sent_digest = b""

    def note(self, environment: Environment) -> None:
        """Store the picture of an environment as soon as it arrives; its frame may still be dropped."""
        if environment.png:
            self._newest = environment

    def complete(self, environment: Environment) -> Environment:
        """Return the environment of a frame that leaves, with its picture if no frame has carried it yet."""
        newest = self._newest
        missing = not environment.png and environment.digest != self._sent_digest
        if missing and newest is not None and newest.digest == environment.digest:
            environment = replace(environment, png=newest.png)
        if environment.png:
            self._sent_digest = environment.digest
        return environment


class Composer:
    """Computes Ĩ = Overlay(Ī, {A}; π), Eq. 4. It has the environment as the cloud has it: from its PNG alone."""

    def __init__(self) -> None:
        self._digest = b""
        self._plate: Image = np.zeros((0, 0, 3), np.uint8)

    def update(self, environment: Environment) -> None:
        """Decode the picture of an environment, if it comes with one."""
        if environment.png and environment.digest != self._digest:
            self._plate, _ = decode_environment(environment.png)
            self._digest = environment.digest

    def compose(self, environment: Environment, poses: Sequence[SubjectPose]) -> Image:
        """Return Ĩ, (H, W, 3) uint8 BGR.

        Raises UnknownEnvironment if the digest is not that of the newest PNG.
        """
        self.update(environment)
        if environment.digest != self._digest:
            raise UnknownEnvironment(f"environment {environment.digest.hex()[:12]}: its picture has not come yet")
        return overlay(self._plate, poses)
