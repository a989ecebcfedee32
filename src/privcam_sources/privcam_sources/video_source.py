"""Opens a source of frames, whatever it is: the one way to pictures in the whole project."""

from typing import Protocol

from privcam_sources.container_source import ContainerSource
from privcam_sources.device_source import DeviceSource
from privcam_sources.open_options import OpenOptions
from privcam_sources.source_spec import Spec
from privcam_sources.stream_info import StreamInfo, TimedFrame

__all__ = ["OpenOptions", "StreamInfo", "TimedFrame", "VideoSource", "open_source"]


class VideoSource(Protocol):
    """Frames of one source, upright and in order.

    ends: it is a recording, which has an end. paced: frames come as fast as they are read, and their times say when
    they are due. rate_hz: nominal frames/s. period_ns: time from the last frame to the next, as far as it is known.
    index: frames read and skipped. damaged: parts that could not be decoded. waited_ns: for how long the data of all
    frames so far had to be waited for.
    """

    ends: bool
    paced: bool
    rate_hz: float
    index: int
    damaged: int

    @property
    def spec(self) -> Spec: ...

    @property
    def period_ns(self) -> int: ...

    @property
    def waited_ns(self) -> int: ...

    @property
    def info(self) -> StreamInfo: ...

    def read(self) -> TimedFrame:
        """Return the next frame. Raises SourceEnded, SourceTorn or SourceLost, or ValueError for a bad frame."""

    def skip(self) -> int | None:
        """Read one frame without making a picture of it, and return its time in ns."""

    def close(self) -> None:
        """Release the device, the connection or the file."""


def open_source(spec: Spec, options: OpenOptions | None = None) -> VideoSource:
    """Open a source. Raises SourceError, with the reason and the remedy."""
    if spec.kind == "camera":
        return DeviceSource(spec)
    return ContainerSource(spec, options or OpenOptions())
