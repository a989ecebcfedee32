"""Appearance descriptors separate clothes and ignore place, size and background."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from privcam_core.types.perception import DetectionSource
from privcam_perception.appearance import AppearanceDescriptor

BOX = np.array([[100.0, 60.0, 180.0, 260.0]])
RED_OVER_BLUE = ((40, 40, 190), (160, 60, 30))
BLUE_OVER_RED = ((160, 60, 30), (40, 40, 190))
GREEN_OVER_BLACK = ((60, 160, 60), (20, 20, 20))
Colour = tuple[int, int, int]


def scene(
    clothes: tuple[Colour, Colour], box: npt.NDArray[np.float64] = BOX, background: int = 120, light: float = 1.0
) -> npt.NDArray[np.uint8]:
    image = np.full((320, 480, 3), background, np.float64)
    x0, y0, x1, y1 = box[0].astype(int)
    image[y0 : (y0 + y1) // 2, x0 + 12 : x1 - 12] = clothes[0]
    image[(y0 + y1) // 2 : y1, x0 + 12 : x1 - 12] = clothes[1]
    noise = np.random.default_rng(3).normal(0, 6, image.shape)
    return np.clip(image * light + noise, 0, 255).astype(np.uint8)


def distance(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    return float(1 - a[0] @ b[0])


def test_descriptors_are_unit_vectors_of_one_size() -> None:
    descriptor = AppearanceDescriptor()
    found = descriptor.describe(scene(RED_OVER_BLUE), np.vstack((BOX, BOX + 30)))
    assert found.shape == (2, AppearanceDescriptor.size)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_no_boxes_give_no_descriptors() -> None:
    assert AppearanceDescriptor().describe(scene(RED_OVER_BLUE), np.zeros((0, 4))).shape == (
        0,
        AppearanceDescriptor.size,
    )


def test_same_clothes_in_another_place_size_and_lighting_are_closer_than_other_clothes() -> None:
    descriptor = AppearanceDescriptor()
    elsewhere = np.array([[300.0, 100.0, 360.0, 250.0]])
    first = descriptor.describe(scene(RED_OVER_BLUE), BOX)
    again = descriptor.describe(scene(RED_OVER_BLUE, elsewhere, light=0.85), elsewhere)
    for other in (BLUE_OVER_RED, GREEN_OVER_BLACK):
        assert distance(first, again) < 0.5 * distance(first, descriptor.describe(scene(other), BOX))


def test_background_matters_less_than_clothes() -> None:
    descriptor = AppearanceDescriptor()
    first = descriptor.describe(scene(RED_OVER_BLUE, background=120), BOX)
    same_person = descriptor.describe(scene(RED_OVER_BLUE, background=220), BOX)
    same_place = descriptor.describe(scene(GREEN_OVER_BLACK, background=120), BOX)
    assert distance(first, same_person) < distance(first, same_place)


def test_boxes_over_the_border_and_outside_of_the_picture_are_described() -> None:
    boxes = np.array([[-40.0, -40.0, 60.0, 200.0], [470.0, 300.0, 600.0, 500.0], [900.0, 900.0, 950.0, 990.0]])
    found = AppearanceDescriptor().describe(scene(RED_OVER_BLUE), boxes)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3))])
def test_other_kinds_of_pictures_are_rejected(image: npt.NDArray[np.generic]) -> None:
    with pytest.raises(ValueError, match="image"):
        AppearanceDescriptor().describe(image, BOX)  # type: ignore[arg-type]


def test_invalid_boxes_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"\(N, 4\)"):
        AppearanceDescriptor().describe(scene(RED_OVER_BLUE), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="finite"):
        AppearanceDescriptor().describe(scene(RED_OVER_BLUE), BOX * np.nan)


def test_person_who_lies_is_described_like_the_same_person_who_stands() -> None:
    descriptor = AppearanceDescriptor()
    standing = scene(RED_OVER_BLUE)
    lying = np.ascontiguousarray(cv2.rotate(standing, cv2.ROTATE_90_CLOCKWISE))
    x0, y0, x1, y1 = BOX[0]
    height = standing.shape[0]
    lying_box = np.array([[height - y1, x0, height - y0, x1]])
    upright = descriptor.describe(standing, BOX)
    np.testing.assert_allclose(descriptor.describe(lying, lying_box, [DetectionSource.TURNED_LEFT]), upright, atol=1e-5)
    assert distance(descriptor.describe(lying, lying_box), upright) > 0.05
