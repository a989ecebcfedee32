"""Every encoding of a driver gives the right colours, or is refused by name."""

import cv2
import numpy as np
import pytest

from privcam_core.types.arrays import Image
from privcam_ros.image_topics.encodings import ENCODINGS, RawPicture, UnsupportedPicture, to_bgr

HEIGHT, WIDTH = 8, 12
# BGR of one colour in which no two channels are alike.
COLOUR = (30, 120, 220)
BAYER_PLACES = {"rggb": "rggb", "bggr": "bggr", "gbrg": "gbrg", "grbg": "grbg"}
LUMA = round(0.114 * COLOUR[0] + 0.587 * COLOUR[1] + 0.299 * COLOUR[2])


def solid() -> Image:
    return np.full((HEIGHT, WIDTH, 3), COLOUR, np.uint8)


def yuv(order: str) -> Image:
    """Return the picture with two bytes a pixel by the formulas of BT.601 (16 to 235)."""
    blue, green, red = (value / 255 for value in COLOUR)
    luma = 16 + 65.481 * red + 128.553 * green + 24.966 * blue
    chroma_u = 128 - 37.797 * red - 74.203 * green + 112.0 * blue
    chroma_v = 128 + 112.0 * red - 93.786 * green - 18.214 * blue
    values = {"y": round(luma), "u": round(chroma_u), "v": round(chroma_v)}
    return np.tile(np.array([values[letter] for letter in order], np.uint8), (HEIGHT, WIDTH // 2))


def mosaic(pattern: str) -> Image:
    values = dict(zip("bgr", COLOUR, strict=True))
    square = np.array([values[letter] for letter in pattern], np.uint8).reshape(2, 2)
    return np.tile(square, (HEIGHT // 2, WIDTH // 2))


def pixels_of(encoding: str) -> np.ndarray:
    """Return the rows of the picture in an encoding, made without the code under test."""
    name = encoding.removesuffix("16").removesuffix("8")
    bgr = solid()
    alpha = np.full((HEIGHT, WIDTH, 1), 77, np.uint8)
    grey = np.full((HEIGHT, WIDTH), LUMA, np.uint8)
    made = {
        "bgr": bgr, "8UC3": bgr, "rgb": bgr[..., ::-1], "bgra": np.dstack([bgr, alpha]),
        "rgba": np.dstack([bgr[..., ::-1], alpha]), "mono": grey, "8UC1": grey,
        "yuv422": yuv("uyvy"), "uyvy": yuv("uyvy"), "yuv422_yuy2": yuv("yuyv"), "yuyv": yuv("yuyv"),
        **{f"bayer_{pattern}": mosaic(pattern) for pattern in BAYER_PLACES},
    }  # fmt: skip
    pixels = made[name if encoding not in made else encoding]
    return pixels.astype(np.uint16) * 257 if encoding.endswith("16") else pixels


def picture(encoding: str, *, padding: int = 0, big_endian: bool = False) -> RawPicture:
    pixels = pixels_of(encoding)
    if pixels.dtype == np.uint16:
        pixels = pixels.astype(">u2" if big_endian else "<u2")
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(HEIGHT, -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    return RawPicture(encoding, HEIGHT, WIDTH, padded.shape[1], padded.tobytes(), big_endian)


@pytest.mark.parametrize("padding", [0, 1, 20])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encoding_gives_the_colour_that_was_put_in(encoding: str, big_endian: bool, padding: int) -> None:
    found = to_bgr(picture(encoding, padding=padding, big_endian=big_endian))
    grey = "mono" in encoding or encoding == "8UC1"
    expected = np.full((HEIGHT, WIDTH, 3), LUMA, np.uint8) if grey else solid()
    assert found.dtype == np.uint8 and found.shape == (HEIGHT, WIDTH, 3)
    # YUV of 16 to 235 has 219 steps for 255.
    assert np.abs(found.astype(int) - expected).max() <= (3 if "yu" in encoding or encoding == "uyvy" else 0)


def test_first_pixel_and_last_row_stay_where_they_are() -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[0, 0], pixels[-1, 3] = (1, 2, 3), (4, 5, 6)
    padded = np.pad(pixels.reshape(HEIGHT, -1), ((0, 0), (0, 5)))
    found = to_bgr(RawPicture("bgr8", HEIGHT, WIDTH, padded.shape[1], padded.tobytes()))
    assert np.array_equal(found, pixels)


def test_declared_range_of_16_bit_is_stretched_and_clipped() -> None:
    values = np.array([[0, 99, 100, 600, 1100, 1101, 65535, 350]], "<u2")
    found = to_bgr(RawPicture("mono16", 1, 8, 16, values.tobytes()), (100, 1100))
    assert found[0, :, 0].tolist() == [0, 0, 0, 128, 255, 255, 255, 64]


@pytest.mark.parametrize("given", [(5, 5), (9, 3), (-1, 5), (0, 65536)])
def test_range_that_does_not_rise_is_refused(given: tuple[int, int]) -> None:
    with pytest.raises(UnsupportedPicture, match="has to rise"):
        to_bgr(picture("mono16"), given)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1", "nv21", "nv24", "bayer_rggb12", "BGR8", "", "8UC4", "x" * 99])
def test_other_encoding_is_refused_by_name_with_the_ones_that_are_taken(encoding: str) -> None:
    with pytest.raises(UnsupportedPicture, match=r"is not one of bgr8, .*bayer_grbg16") as error:
        to_bgr(RawPicture(encoding, HEIGHT, WIDTH, 3 * WIDTH, bytes(3 * WIDTH * HEIGHT)))
    assert repr(encoding[:40]) in str(error.value)


@pytest.mark.parametrize(("change", "text"), [
    ({"step": 3 * WIDTH - 1}, "step 35: a row of 12 px bgr8 has 36 bytes"),
    ({"step": 0}, "step 0"),
    ({"data": bytes(10)}, "10 bytes instead of 8 rows of 36"),
    ({"data": bytes(3 * WIDTH * HEIGHT + 1)}, "289 bytes instead"),
    ({"height": 0}, "12×0 px"), ({"width": 7681}, "7681×8 px"), ({"height": 4321}, "12×4321 px"),
    ({"encoding": "yuyv", "width": 11}, "pixels in pairs"),
    ({"encoding": "bayer_rggb8", "height": 1}, "squares of 2×2"),
])  # fmt: skip
def test_fields_that_do_not_fit_together_are_refused_with_their_numbers(change: dict[str, object], text: str) -> None:
    given = {"encoding": "bgr8", "height": HEIGHT, "width": WIDTH, "step": 3 * WIDTH, "data": bytes(3 * WIDTH * HEIGHT)}
    with pytest.raises(UnsupportedPicture, match=text):
        to_bgr(RawPicture(**{**given, **change}))  # type: ignore[arg-type]


def test_luma_of_the_test_is_that_of_opencv() -> None:
    assert cv2.cvtColor(solid(), cv2.COLOR_BGR2GRAY)[0, 0] == LUMA
