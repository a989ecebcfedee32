"""Compressed pictures are decoded as they were, or refused by name."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from privcam_core.types.arrays import Image
from privcam_ros.image_topics.compressed_pictures import decode
from privcam_ros.image_topics.encodings import UnsupportedPicture

COLOUR = (30, 120, 220)


def solid() -> Image:
    return np.full((48, 64, 3), COLOUR, np.uint8)


def encode(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


@pytest.mark.parametrize(("suffix", "format_text"), [
    (".jpg", "jpeg"), (".jpg", "rgb8; jpeg compressed bgr8"), (".png", "png"), (".png", "bgr8; png compressed bgr8"),
])  # fmt: skip
def test_colours_are_those_that_were_put_in(suffix: str, format_text: str) -> None:
    found = decode(encode(suffix, solid()), format_text)
    assert np.abs(found.astype(int) - solid()).max() <= (2 if suffix == ".jpg" else 0)


def test_grey_alpha_and_16_bit_become_bgr() -> None:
    grey = np.full((48, 64), 90, np.uint8)
    assert decode(encode(".jpg", grey), "mono8; jpeg compressed ")[5, 5].tolist() == [90] * 3
    assert decode(encode(".png", grey), "mono8; png compressed ")[5, 5].tolist() == [90] * 3
    assert decode(encode(".png", np.dstack([solid(), grey])), "png")[5, 5].tolist() == list(COLOUR)
    deep = np.full((48, 64), 600, np.uint16)
    assert decode(encode(".png", deep), "mono16; png compressed ", (100, 1100))[5, 5].tolist() == [128] * 3


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_torn_picture_is_refused_instead_of_filled_with_grey(suffix: str, kept: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
    data = encode(suffix, noise)
    with pytest.raises(UnsupportedPicture, match="torn"):
        decode(data[: int(kept * len(data))], "jpeg")


def test_zero_bytes_behind_the_end_are_no_tear() -> None:
    assert decode(encode(".jpg", solid()) + bytes(30), "jpeg").shape == (48, 64, 3)


@pytest.mark.parametrize(("data", "format_text", "text"), [
    (b"RIFF\x00\x00\x00\x00WEBP", "webp", "'webp': neither JPEG nor PNG"),
    (b"\x00\x00\x00\x01\x67", "h264", "'h264': neither"),
    (b"", "jpeg", "neither"),
    (b"x", "16UC1; compressedDepth", "distances"),
    (b"\xff\xd8\xff\xd9", "jpeg", "without a size"),
])  # fmt: skip
def test_other_formats_are_refused_by_name(data: bytes, format_text: str, text: str) -> None:
    with pytest.raises(UnsupportedPicture, match=text):
        decode(data, format_text)


def png_of(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_picture_that_announces_more_than_any_camera_has_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(UnsupportedPicture, match="100000×100000 px"):
        decode(png_of(100_000, 100_000), "png")
    jpeg = bytearray(encode(".jpg", solid()))
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = struct.pack(">HH", 65000, 65000)
    with pytest.raises(UnsupportedPicture, match="65000×65000 px"):
        decode(bytes(jpeg), "jpeg")


def test_picture_with_a_good_frame_and_damaged_content_is_refused() -> None:
    with pytest.raises(UnsupportedPicture, match="damaged"):
        decode(png_of(64, 48), "png")
