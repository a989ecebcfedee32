"""Reads frames of a V4L2 camera of this host, by OpenCV."""

import os
from pathlib import Path

import cv2
import numpy as np

from privcam_core.images.png import require_bgr8
from privcam_core.types.time import NS_PER_S, ns_from_seconds
from privcam_sources.devices import device_problem
from privcam_sources.errors import SourceError, SourceLost
from privcam_sources.orientation import UPRIGHT
from privcam_sources.source_spec import Spec
from privcam_sources.stream_info import StreamInfo, TimedFrame
from privcam_sources.timing.presentation_time import PresentationTime

_DEFAULT_RATE_HZ = 25.0


class DeviceSource:
    """Frames of one V4L2 camera. The name is resolved anew each time: a link follows the camera to another number.

    Raises SourceError when it cannot be opened. See VideoSource.
    """

    ends = False
    paced = False
    damaged = 0
    waited_ns = 0

    def __init__(self, spec: Spec) -> None:
        self.index = 0
        self._spec = spec
        problem = device_problem(Path(spec.target))
        if problem is not None:
            raise SourceError(f"source {spec.name}: {problem}")
        self._capture = cv2.VideoCapture(os.path.realpath(spec.target), cv2.CAP_V4L2)
        if not self._capture.isOpened():
            raise SourceError(f"source {spec.name}: gives no pictures; another program may use it")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._rate_hz = rate if 0 < rate <= 1000 else None
        self.rate_hz = self._rate_hz or _DEFAULT_RATE_HZ
        self._time = PresentationTime(ns_from_seconds(1 / self.rate_hz))

    @property
    def spec(self) -> Spec:
        """What was opened."""
        return self._spec

    @property
    def period_ns(self) -> int:
        """Time between the last two frames, ns."""
        return self._time.step_ns

    @property
    def info(self) -> StreamInfo:
        """What the camera says of itself, and what was found so far."""
        width, height = (int(self._capture.get(one)) for one in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        return StreamInfo(
            container="v4l2",
            codec=code.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ") or "unknown",
            pixel_format="bgr24",
            size=(width, height),
            rate_hz=self._rate_hz,
            duration_s=None,
            orientation=UPRIGHT.text,
            audio=False,
            timestamps=self._time.missing == 0,
            jumps=self._time.jumps,
            missing_times=self._time.missing,
        )

    def read(self) -> TimedFrame:
        """Return the next frame. See VideoSource."""
        good, image = self._capture.read()
        if not good:
            raise self._lost()
        require_bgr8(image, f"frame {self.index} of {self._spec.name}")
        return TimedFrame(np.asarray(image, np.uint8), self._count())

    def skip(self) -> int | None:
        """Take one frame without decoding it."""
        if not self._capture.grab():
            raise self._lost()
        return self._count()

    def close(self) -> None:
        """Release the device."""
        self._capture.release()

    def _lost(self) -> SourceLost:
        return SourceLost(f"source {self._spec.name}: gives no frames any more")

    def _count(self) -> int | None:
        """Count a frame, and return its time: the kernel stamps a frame when the camera has sent it."""
        self.index += 1
        milliseconds = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        time_ns = self._time.follow(round(milliseconds * NS_PER_S / 1000) if milliseconds > 0 else None)
        return None if self._time.guessed else time_ns
