"""A patch makes one picture of another, and can hide nothing."""

import struct
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from privcam_core.images.environment import FILL, decode_environment, encode_environment, environment_of, picture_digest
from privcam_core.images.png import decode_png, encode_png
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_link.patches import KEPT, Picture, apply_patch, changed_pixels, encode_patch


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Picture, Picture]:
    """Two pictures of one size, of few colours, so that many pixels are alike."""
    shape = (draw(st.integers(1, 10)), draw(st.integers(1, 10)))
    colours = st.sampled_from([0, KEPT, FILL, 255])
    both = [(draw(arrays(np.uint8, (*shape, 3), elements=colours)), draw(arrays(np.bool_, shape))) for _ in range(2)]
    return both[0], both[1]


def visible(picture: Picture) -> Picture:
    """What is left of a picture once it has travelled whole."""
    return decode_environment(encode_environment(*picture))


@settings(deadline=None)
@given(pairs())
def test_patch_makes_the_new_picture_of_the_base(pictures: tuple[Picture, Picture]) -> None:
    new, base = pictures[0], visible(pictures[1])
    made = apply_patch(encode_patch(new, base), base)
    for one, other in zip(made, visible(new), strict=True):
        np.testing.assert_array_equal(one, other)
    assert picture_digest(*made) == picture_digest(*new)


@settings(deadline=None)
@given(pairs())
def test_nothing_of_what_is_not_valid_is_in_a_patch(pictures: tuple[Picture, Picture]) -> None:
    new, base = pictures
    other = np.where(new[1][..., None], new[0], np.uint8(17)), new[1]
    assert encode_patch(other, base) == encode_patch(new, base)


@settings(deadline=None)
@given(pairs())
def test_only_pixels_that_differ_in_what_they_show_are_changed(pictures: tuple[Picture, Picture]) -> None:
    new, base = visible(pictures[0]), visible(pictures[1])
    differ = (new[0] != base[0]).any(axis=2) | (new[1] != base[1])
    np.testing.assert_array_equal(changed_pixels(new, base), differ)
    alpha = decode_png(encode_patch(new, base))[..., 3]
    np.testing.assert_array_equal(alpha != KEPT, differ)


def room(level: int = 90) -> Picture:
    return np.full((24, 32, 3), level, np.uint8), np.ones((24, 32), np.bool_)


def test_patch_of_a_noisy_room_is_much_smaller_than_the_room() -> None:
    plate = np.random.default_rng(2).integers(0, 256, (120, 160, 3), np.uint8)
    confirmed_mask = np.ones((120, 160), np.bool_)
    other = plate.copy()
    other[50:60, 50:60] ^= 255
    assert len(encode_patch((other, confirmed_mask), (plate, confirmed_mask))) * 20 < len(
        encode_environment(other, confirmed_mask)
    )


def test_patch_of_another_size_is_refused() -> None:
    small = room()[0][:12], room()[1][:12]
    with pytest.raises(ValueError, match="patch"):
        encode_patch(room(), small)
    with pytest.raises(ValueError, match=r"patch: .* is not the size of its base"):
        apply_patch(encode_patch(room(), room(91)), small)


def with_pixel(*bgra: int) -> Image:
    made = np.zeros((24, 32, 4), np.uint8)
    made[..., 3] = KEPT
    made[3, 4] = bgra
    return made


@pytest.mark.parametrize(
    ("pixel", "message"),
    [
        ((1, 2, 3, 254), "alpha plane"),
        ((1, 2, 3, 1), "alpha plane"),
        ((0, 0, 0, KEPT + 1), "alpha plane"),
        ((1, 0, 0, KEPT), "hides a colour"),
        ((0, 0, 255, KEPT), "hides a colour"),
        ((0, 0, 0, 0), "hides a colour"),
        ((FILL, FILL, FILL - 1, 0), "hides a colour"),
    ],
)
def test_patch_that_hides_something_is_refused(pixel: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        apply_patch(encode_png(with_pixel(*pixel)), room())


@pytest.mark.parametrize("pixel", [(1, 2, 3, 255), (FILL, FILL, FILL, 0)])
def test_patch_that_shows_or_hides_one_pixel_changes_that_pixel_alone(pixel: tuple[int, ...]) -> None:
    plate, confirmed = apply_patch(encode_png(with_pixel(*pixel)), room())
    assert (tuple(plate[3, 4]), bool(confirmed[3, 4])) == (pixel[:3], pixel[3] == 255)
    plate[3, 4], confirmed[3, 4] = 90, True
    np.testing.assert_array_equal(plate, room()[0])
    assert confirmed.all()


@pytest.mark.parametrize("extra", [b"!", b"\x00" * 12])
def test_patch_is_read_as_strictly_as_a_picture(extra: bytes) -> None:
    with pytest.raises(ValueError, match="after the end"):
        apply_patch(encode_patch(room(1), room()) + extra, room())


def test_patch_is_no_picture() -> None:
    with pytest.raises(ValueError, match="alpha plane"):
        decode_environment(encode_patch(room(), room()))


def test_digest_is_of_what_is_shown_whoever_packed_it() -> None:
    plate, confirmed_mask = room()
    confirmed_mask[0, 0] = False
    rgba = np.dstack([plate[..., ::-1], np.where(confirmed_mask, 255, 0).astype(np.uint8)])
    rgba[0, 0] = (FILL, FILL, FILL, 0)
    assert picture_digest(plate, confirmed_mask) == sha256(struct.pack("<II", 24, 32) + rgba.tobytes()).digest()
    other = plate.copy()
    other[0, 0] = 1  # below an invalid pixel
    assert picture_digest(other, confirmed_mask) == picture_digest(plate, confirmed_mask)
    other[0, 1] = 1
    assert picture_digest(other, confirmed_mask) != picture_digest(plate, confirmed_mask)


def test_digest_tells_two_shapes_of_the_same_pixels_apart() -> None:
    plate, confirmed_mask = room()
    assert picture_digest(plate, confirmed_mask) != picture_digest(
        plate.reshape(32, 24, 3), confirmed_mask.reshape(32, 24)
    )


def test_environment_of_a_picture_says_what_is_in_it() -> None:
    plate, confirmed_mask = room()
    confirmed_mask[:6] = False
    made = environment_of(SyncKey("room1", 1, 1), encode_environment(plate, confirmed_mask), 5)
    assert (made.height, made.width, made.confirmed_fraction, made.epoch, made.base) == (24, 32, 0.75, 5, b"")
    assert made.digest == picture_digest(plate, confirmed_mask)


def test_environment_of_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="PNG"):
        environment_of(SyncKey("room1", 1, 1), b"no picture", 1)
