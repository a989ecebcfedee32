"""The picture that leaves holds pixels and nothing else."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from privcam_core.images.environment import FILL, decode_environment, encode_environment
from privcam_core.images.png import chunks, require_bgr8
from privcam_core.types.omega import MAX_PNG_BYTES

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def room(height: int = 24, width: int = 32) -> tuple[np.ndarray, np.ndarray]:
    plate = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    confirmed = np.ones((height, width), bool)
    confirmed[5:15, 8:20] = False
    return plate, confirmed


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(rows: bytes, size: tuple[int, int] = (2, 1), *, depth: int = 8, colour: int = 6, interlace: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlace)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


GREY = bytes([FILL, FILL, FILL, 0])
WHITE = bytes([255, 255, 255, 255])
GOOD = png(b"\x00" + GREY + WHITE)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = (draw(st.integers(1, 12)), draw(st.integers(1, 12)))
    return draw(arrays(np.uint8, (*shape, 3))), draw(arrays(bool, shape))


@settings(deadline=None)
@given(pictures())
def test_valid_pixels_come_back_and_the_others_come_back_as_fill(picture: tuple[np.ndarray, np.ndarray]) -> None:
    plate, confirmed = picture
    back, back_confirmed = decode_environment(encode_environment(plate, confirmed))
    np.testing.assert_array_equal(back_confirmed, confirmed)
    np.testing.assert_array_equal(back[confirmed], plate[confirmed])
    assert (back[~confirmed] == FILL).all()


@settings(deadline=None)
@given(pictures(), st.integers(0, 255))
def test_what_lies_below_an_invalid_pixel_changes_no_byte(picture: tuple[np.ndarray, np.ndarray], value: int) -> None:
    plate, confirmed = picture
    other = np.where(confirmed[..., None], plate, np.uint8(value))
    assert encode_environment(other, confirmed) == encode_environment(plate, confirmed)


@settings(deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: SIGNATURE + data))
def test_arbitrary_bytes_are_refused_in_one_way(data: bytes) -> None:
    with pytest.raises(ValueError, match="PNG"):
        decode_environment(data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_picture_is_refused_or_strictly_a_picture(data: st.DataObject) -> None:
    damaged = bytearray(encode_environment(*room()))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        plate, confirmed = decode_environment(bytes(damaged))
    except ValueError:
        return
    assert (plate[~confirmed] == FILL).all()


def test_picture_has_only_the_three_needed_kinds_of_chunk() -> None:
    names = [name for name, _ in chunks(encode_environment(*room()))]
    assert (names[0], names[-1], set(names[1:-1])) == (b"IHDR", b"IEND", {b"IDAT"})


def test_hand_made_picture_is_read() -> None:
    plate, confirmed = decode_environment(GOOD)
    assert plate.tolist() == [[[FILL] * 3, [255] * 3]]
    assert confirmed.tolist() == [[False, True]]


REFUSED = {
    "nothing": (b"", "signature"),
    "jpeg": (cv2.imencode(".jpg", room()[0])[1].tobytes(), "signature"),
    "rgb": (cv2.imencode(".png", room()[0])[1].tobytes(), "8-bit RGBA"),
    "grey": (cv2.imencode(".png", room()[0][..., 0])[1].tobytes(), "8-bit RGBA"),
    "sixteen_bit": (cv2.imencode(".png", np.zeros((4, 4, 4), np.uint16))[1].tobytes(), "8-bit RGBA"),
    "interlaced": (png(b"\x00" + GREY + WHITE, interlace=1), "interlacing"),
    "text_chunk": (GOOD[:33] + chunk(b"tEXt", b"Comment\x00hello") + GOOD[33:], "tEXt"),
    "time_chunk": (GOOD[:33] + chunk(b"tIME", bytes(7)) + GOOD[33:], "tIME"),
    "animation": (GOOD[:33] + chunk(b"acTL", bytes(8)) + GOOD[33:], "acTL"),
    "bytes_after_the_end": (GOOD + b"more", "4 bytes after the end"),
    "second_picture": (GOOD + GOOD, "after the end"),
    "cut_off": (GOOD[:-6], "cut off"),
    "cut_off_before_a_length": (GOOD[:35], "cut off"),
    "wrong_crc": (GOOD[:45] + bytes([GOOD[45] ^ 1]) + GOOD[46:], "CRC"),
    "two_headers": (GOOD[:33] + GOOD[8:], "chunks"),
    "no_pixels": (GOOD[:33] + chunk(b"IEND", b""), "chunks"),
    "data_in_the_end": (GOOD[:-12] + chunk(b"IEND", b"x"), "chunks"),
    "confetti": (GOOD[:33] + chunk(b"IDAT", b"") * 5000 + GOOD[33:], "more than"),
    "short_header": (SIGNATURE + chunk(b"IHDR", b"") + GOOD[33:], "IHDR has 0 bytes"),
    "zero_width": (png(b"", (0, 1)), "0x1"),
    "too_wide": (png(b"", (7681, 1)), "7681x1"),
    "too_many_bytes": (SIGNATURE + bytes(MAX_PNG_BYTES), "limit"),
    "broken_stream": (GOOD[:33] + chunk(b"IDAT", b"no zlib") + GOOD[-12:], "stream is broken"),
    "missing_rows": (png(b"\x00" + GREY), "not exactly"),
    "bytes_after_the_rows": (png(b"\x00" + GREY + WHITE + b"!"), "not exactly"),
    "bytes_after_the_stream": (
        GOOD[:33] + chunk(b"IDAT", zlib.compress(b"\x00" + GREY + WHITE) + b"!") + GOOD[-12:],
        "not exactly",
    ),
    "bomb": (png(bytes(50_000_000)), "not exactly"),
    "unknown_filter": (png(b"\x05" + GREY + WHITE), "filter"),
    "half_transparent": (png(b"\x00" + GREY + b"\xff\xff\xff\x80"), "alpha plane"),
    "colour_below_transparency": (png(b"\x00" + b"\x01\x02\x03\x00" + WHITE), "hides a colour"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_but_a_plain_picture_is_refused(name: str) -> None:
    data, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        decode_environment(data)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "NoneType"),
        ([[1, 2, 3]], "list"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.zeros((4, 4), np.uint8), r"shape \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\)"),
        (np.zeros((4, 4, 1), np.uint8), r"shape \(4, 4, 1\)"),
        (np.zeros((4, 4, 3), np.uint16), "uint16"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
    ],
)
def test_wrong_image_is_named_with_what_is_needed(image: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        require_bgr8(image, "frame")
    assert str(error.value).startswith("frame: ")
    assert "(H, W, 3) uint8" in str(error.value)


def test_right_image_passes() -> None:
    require_bgr8(room()[0])


@pytest.mark.parametrize("confirmed", [np.ones((24, 32), np.uint8), np.ones((24, 31), bool)])
def test_confirmed_mask_of_wrong_type_or_size_is_refused(confirmed: np.ndarray) -> None:
    with pytest.raises(ValueError, match="confirmed"):
        encode_environment(room()[0], confirmed)
