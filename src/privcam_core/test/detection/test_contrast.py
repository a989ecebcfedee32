"""The contrast of dark pictures, and that pictures by daylight stay as they are."""

import numpy as np
import pytest

from privcam_core.detection.contrast import normalize_contrast

SHAPE = (120, 160)


def room(low: int, high: int) -> np.ndarray:
    coarse = np.random.default_rng(3).integers(low, high, (15, 20, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


@pytest.mark.parametrize(("low", "high"), [(0, 255), (20, 110), (200, 255)])
def test_a_lit_picture_is_the_same_picture_byte_for_byte(low: int, high: int) -> None:
    picture = room(low, high)
    before = picture.copy()
    assert normalize_contrast(picture) is picture
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("high", [60, 30, 20])
def test_a_dark_picture_gets_the_range_of_daylight_and_the_given_one_is_not_changed(high: int) -> None:
    picture = room(8, high)
    before = picture.copy()
    stretched = normalize_contrast(picture)
    assert np.percentile(stretched, 98) - np.percentile(stretched, 2) > 100
    np.testing.assert_array_equal(picture, before)
    order = np.argsort(picture[..., 0], axis=None, kind="stable")
    assert (np.diff(stretched[..., 0].ravel()[order].astype(int)) >= 0).all()


def test_noise_in_the_dark_is_enlarged_by_a_bounded_factor() -> None:
    noise = np.random.default_rng(1).normal(10, 1, (*SHAPE, 1)).clip(0, 255).astype(np.uint8).repeat(3, 2)
    assert normalize_contrast(noise).std() < 13 * noise.std()


def test_only_the_named_pixels_are_measured_and_changed() -> None:
    picture, where = room(8, 40), np.zeros(SHAPE, np.bool_)
    where[:, :80] = True
    picture[~where] = 128
    stretched = normalize_contrast(picture, where)
    assert (stretched[~where] == 128).all()
    assert stretched[where].max() > 150
    assert normalize_contrast(picture, np.zeros(SHAPE, np.bool_)) is picture


def test_a_black_picture_does_not_fail() -> None:
    assert normalize_contrast(np.zeros((1, 1, 3), np.uint8)).shape == (1, 1, 3)
