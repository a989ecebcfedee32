"""Writes pictures into an MP4 file that every browser and video program opens (H.264, yuv420p)."""

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from privcam_core.images.png import require_bgr8
from privcam_core.types.arrays import Image

# x264: 23 is its default and looks clean; contour pictures have large calm areas and stay small.
_QUALITY = "23"
_PRESET = "veryfast"
# The finest step of the frame rate, 1/s: 29.97 frames/s is kept as 30000/1001.
_RATE_DENOMINATOR = 1001


class VideoError(OSError):
    """A video file could not be written. The message says which one, why, and what to do."""


class VideoWriter:
    """Writes a video of at most `frames_per_s`; use it as a context manager.

    The file appears under its name when it is closed and complete, and not before: while it is being written it has
    the ending `.part`, and after an error nothing is left. Without any frame no file is made.
    """

    def __init__(self, path: Path, frames_per_s: float) -> None:
        if not 0 < frames_per_s <= 240:
            raise ValueError(f"frames_per_s: {frames_per_s} is not in (0, 240]")
        self.path = Path(path)
        self._rate = Fraction(frames_per_s).limit_denominator(_RATE_DENOMINATOR)
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._shape: tuple[int, ...] = ()
        self._next = 0  # first period that is free, counted from the start of the video
        self._closed = False

    def write(self, picture: Image, at_s: float | None = None) -> None:
        """Append one picture, (H, W, 3) uint8 BGR. Odd sizes get one more row or column, a copy of the last one.

        at_s: when it is shown, in s from the start of the video; a picture before it stays until then. None: one
        period after the picture before it. Two pictures are at least one period apart.

        Raises VideoError if the file cannot be written, ValueError for a picture of another size or type than the
        first one and for a writer that is closed.
        """
        require_bgr8(picture, "picture")
        if self._closed:
            raise ValueError(f"{self.path}: the video is closed")
        if self._shape and picture.shape != self._shape:
            raise ValueError(f"{self.path}: picture has shape {picture.shape}, the first one had {self._shape}")
        height, width = picture.shape[:2]
        even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        try:
            if self._container is None or self._stream is None:
                self._open(even.shape[1], even.shape[0])
                self._shape = picture.shape
            frame = av.VideoFrame.from_ndarray(even, format="bgr24")
            wanted = self._next if at_s is None else round(at_s * self._rate)
            frame.pts, frame.time_base = max(self._next, wanted), 1 / self._rate
            self._encode(frame)
        except av.FFmpegError as error:
            self.abort()
            raise self._error(error) from error
        self._next = frame.pts + 1

    def close(self) -> None:
        """Finish the file and give it its name. Closing twice does nothing. Raises VideoError if that fails."""
        if self._closed:
            return
        self._closed = True
        if self._container is None:
            return
        try:
            self._encode(None)
            self._container.close()
            self._part.replace(self.path)
        except (av.FFmpegError, OSError) as error:
            self.abort()
            raise self._error(error) from error

    def abort(self) -> None:
        """Close without a result and remove what was written."""
        self._closed = True
        if self._container is not None:
            # The reason is known already, or the caller does not want the file: a second error says nothing new.
            with suppress(av.FFmpegError, OSError):
                self._container.close()
            self._container = None
        with suppress(OSError):
            self._part.unlink()

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An interrupted recording is still worth keeping; one that failed to write is already aborted.
        self.close()

    def _open(self, width: int, height: int) -> None:
        self._container = av.open(str(self._part), "w", format="mp4", options={"movflags": "+faststart"})
        stream = self._container.add_stream("libx264", rate=self._rate, options={"crf": _QUALITY, "preset": _PRESET})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = 1 / self._rate
        self._stream = stream

    def _encode(self, frame: av.VideoFrame | None) -> None:
        """Encode one frame, or with None what the encoder still holds."""
        assert self._container is not None and self._stream is not None  # write() has opened them
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def _error(self, error: Exception) -> VideoError:
        reason = getattr(error, "strerror", None) or str(error)
        advice = "check that the folder exists, may be written and has free space"
        return VideoError(f"{self.path}: cannot write the video: {reason}; {advice}")
