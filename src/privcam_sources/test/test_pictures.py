"""Pictures come upright, whole and in the right colours, in every form that cameras and phones use."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from video_files import flat, matrix, write_clip

from privcam_core.types.arrays import Image
from privcam_sources.orientation import Orientation, orientation_of
from privcam_sources.source_spec import parse
from privcam_sources.video_source import open_source

# What the display matrices of MP4 make of a stored picture. By x' = a x + c y, y' = b x + d y.
TURNS = [
    ((1, 0, 0, 1), lambda stored: stored, "none"),
    ((0, 1, -1, 0), lambda stored: np.rot90(stored, -1), "90° clockwise"),
    ((-1, 0, 0, -1), lambda stored: np.rot90(stored, 2), "180° clockwise"),
    ((0, -1, 1, 0), np.rot90, "270° clockwise"),
    ((-1, 0, 0, 1), lambda stored: stored[:, ::-1], "mirrored"),
    ((1, 0, 0, -1), lambda stored: stored[::-1], "mirrored, 180° clockwise"),
    ((0, 1, 1, 0), lambda stored: stored.transpose(1, 0, 2), "mirrored, 270° clockwise"),
    ((0, -1, -1, 0), lambda stored: np.rot90(stored, 2).transpose(1, 0, 2), "mirrored, 90° clockwise"),
]


def first(clip: Path) -> Image:
    with closing(open_source(parse(str(clip)))) as source:
        return source.read().image


def pattern() -> Image:
    """Return a picture whose four corners have different colours."""
    picture = flat(60, (96, 64))
    picture[:24, :36] = (30, 40, 220)
    picture[40:, 60:] = (220, 60, 30)
    picture[40:, :36] = (40, 200, 40)
    return picture


@pytest.mark.parametrize(("numbers", "turn", "name"), TURNS)
def test_recording_of_a_phone_comes_upright(
    tmp_path: Path, numbers: tuple[int, int, int, int], turn, name: str
) -> None:  # type: ignore[no-untyped-def]
    stored = first(write_clip(tmp_path / "stored.mp4", [pattern()] * 3))
    clip = write_clip(tmp_path / "turned.mp4", [pattern()] * 3, display=matrix(*numbers))
    with closing(open_source(parse(str(clip)))) as source:
        found = source.read().image
        assert source.info.orientation == name
    assert np.array_equal(found, turn(stored))
    assert found.flags["C_CONTIGUOUS"]


def test_angle_between_is_the_nearest_quarter_turn() -> None:
    ten = [round(65536 * value) for value in (0.985, 0.174, 0.0, -0.174, 0.985, 0.0, 0.0, 0.0, 1.0)]
    assert orientation_of(np.array(ten, np.int32).tobytes()) == Orientation()
    with pytest.raises(ValueError, match="has 36 bytes"):
        orientation_of(b"short")


@pytest.mark.parametrize(
    ("size", "codec", "pixels", "tolerance"),
    [
        ((64, 48), "libx264", "yuv420p", 6),
        ((64, 48), "libx265", "yuv420p10le", 4),
        ((641, 479), "libx264", "yuv444p", 4),
        ((641, 479), "ffv1", "bgr0", 0),
        ((2, 2), "ffv1", "bgr0", 0),
        ((3840, 2160), "libx264", "yuv420p", 6),
        ((64, 48), "ffv1", "gray", 1),
        ((64, 48), "ffv1", "gray16le", 1),
        ((64, 48), "mjpeg", "yuvj420p", 4),
        ((64, 48), "ffv1", "bgra", 0),
    ],
)
def test_every_form_of_pixels_and_size_becomes_bgr(
    tmp_path: Path, size: tuple[int, int], codec: str, pixels: str, tolerance: int
) -> None:
    # x265 gives a clip that is shorter than its delay for B-frames decoding times from memory nobody set.
    quiet = (
        {"x265-params": "log-level=none:bframes=0"}
        if codec == "libx265"
        else {"preset": "ultrafast"}
        if codec == "libx264"
        else {}
    )
    clip = write_clip(tmp_path / "a.mkv", [flat(100, size)] * 2, codec=codec, pixels=pixels, options=quiet)
    found = first(clip)
    assert found.shape == (size[1], size[0], 3)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - 100).max() <= tolerance


def test_size_that_changes_on_the_way_changes_the_pictures_without_a_stripe(tmp_path: Path) -> None:
    parts = [
        write_clip(tmp_path / f"{w}.ts", [flat(level, (w, h))] * 5) for level, w, h in ((50, 64, 48), (90, 96, 80))
    ]
    clip = tmp_path / "both.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    with closing(open_source(parse(str(clip)))) as source:
        pictures = [source.read().image for _ in range(10)]
    assert [picture.shape[:2] for picture in pictures] == [(48, 64)] * 5 + [(80, 96)] * 5
    assert all(np.ptp(picture) <= 4 for picture in pictures)
