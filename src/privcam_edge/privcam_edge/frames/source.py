"""Reads frames from a V4L2 camera, a network stream or a video file."""

import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from privcam_core.images.png import require_bgr8
from privcam_core.source_credentials import Credentials
from privcam_core.source_text import PLACEHOLDERS, SecretInSource, redact_source, require_no_secret
from privcam_core.types.arrays import Image

DEFAULT_RATE_HZ = 25.0
# Some files have a nonsensical rate; no camera is outside of this range.
RATE_RANGE_HZ = (0.5, 240.0)
# Frame counts in file headers are estimates in some containers: only a file with less than this fraction is truncated.
COMPLETE_FRACTION = 0.9

# FFmpeg prints URLs with their password, e.g. where a segment of a stream is missing. AV_LOG_QUIET; OpenCV reads this
# once, when FFmpeg is first used.
os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"


class SourceError(RuntimeError):
    """The source cannot be opened. The message names the source and the remedy."""


class SourceEnded(Exception):
    """The video file is at its end."""


class SourceTorn(Exception):
    """The video file breaks off before its end: it is truncated or damaged."""


class SourceLost(Exception):
    """A camera or stream gives no frames any more."""


@dataclass(frozen=True)
class Spec:
    """A parsed source. kind: `camera`, `stream` or `file`. target: the index, URL or path, without a secret.

    credentials: of a stream that wants them.
    """

    kind: str
    target: str
    credentials: Credentials | None = None

    @property
    def live(self) -> bool:
        """Whether frames that are not read are lost."""
        return self.kind != "file"

    @property
    def name(self) -> str:
        """The source as it may be shown: of a stream the scheme and the host."""
        return f"/dev/video{self.target}" if self.kind == "camera" else redact_source(self.target)


def parse(text: str, credentials: Credentials | None = None) -> Spec:
    """Read a source: `0` or `/dev/video0`, an RTSP or HTTP URL, or the path of a video file.

    credentials: of a stream. Raises SourceError for a source with a password in it, and for one that takes none.
    """
    try:
        require_no_secret(text)
    except SecretInSource as error:
        raise SourceError(str(error)) from error
    spec = _parse(text)
    if credentials is None:
        if spec.kind == "stream" and any(placeholder in spec.target for placeholder in PLACEHOLDERS):
            raise SourceError(f"source {spec.name}: has {{user}} or {{password}} in it, but no source_credentials")
        return spec
    if spec.kind != "stream":
        raise SourceError(f"source {spec.name}: only a stream takes source_credentials; leave them out")
    return replace(spec, credentials=credentials)


def _parse(text: str) -> Spec:
    if re.fullmatch(r"\d{1,3}", text):
        return Spec("camera", text)
    if text.startswith("/dev/video"):
        return Spec("camera", text.removeprefix("/dev/video"))
    if (url := re.match(r"(rtsps?|https?|udp|tcp)://", text, re.IGNORECASE)) is not None:
        return Spec("stream", url[0].lower() + text[url.end() :])
    if not text:
        raise SourceError("source is empty: give a camera index (0), an rtsp:// or http:// URL, or a video file")
    return Spec("file", text)


class VideoSource:
    """Frames of one source. Raises SourceError when it cannot be opened."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.index = 0
        self._capture = self._open()
        # Number of frames in the header of a file; 0 or less where the container does not have it.
        self._announced = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate_hz = rate if RATE_RANGE_HZ[0] <= rate <= RATE_RANGE_HZ[1] else DEFAULT_RATE_HZ

    def _open(self) -> cv2.VideoCapture:
        kind, target, name = self.spec.kind, self.spec.target, self.spec.name
        if kind == "file":
            path = Path(target)
            if not path.exists():
                raise SourceError(f"source {name}: no such file")
            if not path.is_file() or not os.access(path, os.R_OK):
                raise SourceError(f"source {name}: not a file that this user may read")
            capture = cv2.VideoCapture(target, cv2.CAP_FFMPEG)
            problem = "is not a video that FFmpeg can decode; check that it plays, or convert it to MP4"
        elif kind == "camera":
            if not Path(f"/dev/video{target}").exists():
                present = ", ".join(sorted(str(p) for p in Path("/dev").glob("video*"))) or "none"
                raise SourceError(f"source {name}: no such camera; cameras here: {present}")
            capture = cv2.VideoCapture(int(target), cv2.CAP_V4L2)
            problem = "could not be opened; is it in use, or is this user not in the group `video`?"
        else:
            # OpenCV can print the URL that it opens, with the password.
            cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            if self.spec.credentials is not None:
                target = self.spec.credentials.put_into(target)
            milliseconds = 5000
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds]
            capture = cv2.VideoCapture(target, cv2.CAP_FFMPEG, limits)
            problem = "gave no stream within 5 s; check address, user and password, and that the camera is on"
        if not capture.isOpened():
            raise SourceError(f"source {name}: {problem}")
        return capture

    def read(self) -> Image:
        """Return the next frame, (H, W, 3) uint8 BGR. Raises SourceEnded, SourceLost, or ValueError for a bad frame."""
        good, image = self._capture.read()
        if not good:
            if self.spec.live:
                raise SourceLost(f"source {self.spec.name}: gives no frames any more")
            if self.index == 0:
                raise SourceError(f"source {self.spec.name}: holds no frame that can be decoded")
            if self.index < COMPLETE_FRACTION * self._announced:
                raise SourceTorn(
                    f"source {self.spec.name}: breaks off after {self.index} of {self._announced} frames; "
                    "the file is damaged or not complete, copy it again"
                )
            raise SourceEnded
        require_bgr8(image, f"frame {self.index} of {self.spec.name}")
        self.index += 1
        return np.asarray(image, np.uint8)

    def skip(self) -> None:
        """Skip one frame without decoding it."""
        if not self._capture.grab():
            self.read()  # raises the error
        self.index += 1

    def close(self) -> None:
        """Release the device."""
        self._capture.release()


class Backoff:
    """Waiting times between attempts to reconnect, which double from `first_s` up to `max_s`."""

    def __init__(self, first_s: float = 0.5, max_s: float = 10.0) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._wait_s = first_s
        self._next = 0.0

    def due(self) -> bool:
        """Whether the next attempt may be made now."""
        return time.monotonic() >= self._next

    def failed(self) -> float:
        """Note a failed attempt and return the seconds until the next one."""
        wait = self._wait_s
        self._next = time.monotonic() + wait
        self._wait_s = min(2 * wait, self._max_s)
        return wait

    def succeeded(self) -> None:
        """Start again with `first_s`."""
        self._wait_s = self._first_s
