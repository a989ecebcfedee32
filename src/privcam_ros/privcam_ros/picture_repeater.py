"""Publishing Ω so that its picture travels when it is needed, and no more often."""

import time
from dataclasses import replace
from typing import Any

from privcam_core.types.omega import Omega
from privcam_ros.conversions import to_msg


class PictureRepeater:
    """Publishes Ω with its picture when that changed, and again every `repeat_s` for nodes that were restarted."""

    def __init__(self, publisher: Any, repeat_s: float) -> None:
        self._publisher = publisher
        self._repeat_s = repeat_s
        self.forget()

    def forget(self) -> None:
        """Publish the next picture as if it was new."""
        self._digest = b""
        self._repeated_s = 0.0

    @property
    def wanted(self) -> bool:
        """Whether anybody subscribes."""
        return bool(self._publisher.get_subscription_count())

    def __call__(self, omega: Omega) -> None:
        """Publish an Ω, which has its picture unless that is not known."""
        environment, now = omega.environment, time.monotonic()
        if environment.png and (environment.digest != self._digest or now - self._repeated_s >= self._repeat_s):
            self._digest, self._repeated_s = environment.digest, now
        else:
            environment = environment.without_png()
        self._publisher.publish(to_msg(replace(omega, environment=environment)))
