"""Values that the reader gives: a frame with its time, and what is known of a source."""

from dataclasses import dataclass

from privcam_core.types.arrays import Image


@dataclass(frozen=True)
class TimedFrame:
    """One upright frame.

    image: (H, W, 3) uint8 BGR. time_ns: presentation time since the first frame; None where the source has none, and
    only the moment of arrival is known.
    """

    image: Image
    time_ns: int | None


@dataclass(frozen=True)
class StreamInfo:
    """What a source says of itself, and what was found while it was read.

    size: width and height in px as it is stored. rate_hz: nominal, None where it names none. duration_s: of the video
    stream, None where it is not known. orientation: what the reader does about it. jumps, missing_times: see
    PresentationTime.
    """

    container: str
    codec: str
    pixel_format: str
    size: tuple[int, int]
    rate_hz: float | None
    duration_s: float | None
    orientation: str
    audio: bool
    timestamps: bool
    hardware: bool = False
    jumps: int = 0
    missing_times: int = 0
