"""Publishes Ω with its picture only when the picture changed, and repeatedly for nodes that were restarted."""

import time
from dataclasses import replace
from typing import Any

from privcam_core.types.omega import Omega
from privcam_ros.conversions import omega_to_msg


class PictureRepeater:
    """Publishes Ω with the picture when it changed and again every `repeat_s`, otherwise by digest alone."""

    def __init__(self, publisher: Any, repeat_s: float) -> None:
        self._publisher = publisher
        self._repeat_s = repeat_s
        self.reset()

    def reset(self) -> None:
        """Publish the next Ω with its picture."""
        self._digest = b""
        self._repeated_s = 0.0

    @property
    def has_subscribers(self) -> bool:
        """Whether the topic has subscribers."""
        return bool(self._publisher.get_subscription_count())

    def publish(self, omega: Omega) -> None:
        """Publish an Ω. Its environment holds the picture, or only the digest where the picture is not known."""
        environment, now = omega.environment, time.monotonic()
        if environment.png and (environment.digest != self._digest or now - self._repeated_s >= self._repeat_s):
            self._digest, self._repeated_s = environment.digest, now
        else:
            environment = environment.without_png()
        self._publisher.publish(omega_to_msg(replace(omega, environment=environment)))
