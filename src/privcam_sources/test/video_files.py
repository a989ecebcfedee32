"""Video files as cameras, phones and recorders write them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from privcam_core.types.arrays import Image

TIME_BASE = Fraction(1, 1000)
# Display matrices as in an MP4 file: a, b, u, c, d, v, x, y, w.
ONE, UNIT = 1 << 16, 1 << 30


def matrix(a: int, b: int, c: int, d: int) -> list[int]:
    return [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, UNIT]


def flat(level: int, size: tuple[int, int] = (64, 48)) -> Image:
    return np.full((size[1], size[0], 3), level, np.uint8)


def write_clip(
    path: Path,
    pictures: Sequence[Image],
    *,
    rate_hz: float = 10.0,
    times_s: Sequence[float] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    display: Sequence[int] | None = None,
    audio_s: float = 0.0,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    format_name: str | None = None,
) -> Path:
    """Write pictures at a constant rate, or at their own times. audio_s: length of a silent sound track."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w", format=format_name, container_options=container or {}) as output:
        video = output.add_stream(codec, rate=Fraction(rate_hz).limit_denominator(1000))
        video.width, video.height, video.pix_fmt = width, height, pixels
        video.options = {"g": "5", **(options or {})} if codec in ("libx264", "libx265") else options or {}
        video.codec_context.time_base = TIME_BASE
        if display is not None:
            video.set_display_matrix(list(display))
        sound = output.add_stream("aac", rate=8000, layout="mono") if audio_s else None
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.time_base = TIME_BASE
            frame.pts = round(1000 * (times_s[number] if times_s is not None else number / rate_hz))
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if sound is not None:
            for start in range(0, int(8000 * audio_s), 1024):
                quiet = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                quiet.sample_rate, quiet.pts, quiet.time_base = 8000, start, Fraction(1, 8000)
                output.mux(sound.encode(quiet))
            output.mux(sound.encode(None))
    return path
