"""Boxes and points of a turned picture are those of the picture before, to the pixel."""

import numpy as np
import pytest

from privcam_core.detection.turned_detection import (
    TurnedDetector,
    detect_in_region,
    merge_detections,
    turn_boxes_back,
    turn_picture,
    turn_points_back,
)
from privcam_core.types.perception import Detections, DetectionSource

HEIGHT, WIDTH = 60, 100
BOX = (20, 11, 73, 29)


class BrightRegion:
    """A detector that finds the bounding box of the white pixels."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()

    def detect(self, image: np.ndarray) -> Detections:
        self.shape = image.shape
        rows, columns = np.nonzero(image[..., 0] == 255)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        return Detections(np.array([box], np.float32), np.array([0.5], np.float32))


def picture() -> np.ndarray:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    x0, y0, x1, y1 = BOX
    image[y0:y1, x0:x1] = 255
    return image


@pytest.mark.parametrize("source", DetectionSource)
def test_box_of_a_turned_picture_is_turned_back_to_the_pixel(source: DetectionSource) -> None:
    found = BrightRegion().detect(turn_picture(picture(), source))
    np.testing.assert_array_equal(turn_boxes_back(found.boxes, source, HEIGHT, WIDTH), [BOX])


@pytest.mark.parametrize("source", DetectionSource)
def test_middles_of_pixels_are_turned_back_to_their_pixels(source: DetectionSource) -> None:
    numbers = np.arange(HEIGHT * WIDTH, dtype=np.int32).reshape(HEIGHT, WIDTH)
    turned = turn_picture(numbers.view(np.uint8).reshape(HEIGHT, WIDTH, 4), source).view(np.int32)[..., 0]
    rows, columns = np.indices(turned.shape)
    points = np.stack([columns, rows], axis=-1) + 0.5
    back = turn_points_back(points, source, HEIGHT, WIDTH)
    np.testing.assert_array_equal(
        numbers[np.floor(back[..., 1]).astype(int), np.floor(back[..., 0]).astype(int)], turned
    )


def test_turned_left_is_anticlockwise() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 2] = 255  # top right
    assert turn_picture(image, DetectionSource.TURNED_LEFT)[0, 0].all()
    assert turn_picture(image, DetectionSource.TURNED_RIGHT)[2, 1].all()


@pytest.mark.parametrize("source", DetectionSource)
def test_box_in_a_region_is_in_pixels_of_the_picture_and_says_how_it_was_found(source: DetectionSource) -> None:
    detector = BrightRegion()
    found = detect_in_region(detector, picture(), (10, 5, 90, 40), source)
    np.testing.assert_array_equal(found.boxes, [BOX])
    assert found.sources.tolist() == [source]
    turned = source in (DetectionSource.TURNED_LEFT, DetectionSource.TURNED_RIGHT)
    assert detector.shape == ((80, 35, 3) if turned else (35, 80, 3))


@pytest.mark.parametrize("source", DetectionSource)
def test_turned_detector_gives_boxes_of_the_picture_as_it_is(source: DetectionSource) -> None:
    found = TurnedDetector(BrightRegion(), source).detect(picture())
    np.testing.assert_array_equal(found.boxes, [BOX])


def test_merged_detections_keep_the_better_box_of_one_person_and_its_source() -> None:
    whole = Detections(np.array([[0, 0, 10, 20], [50, 0, 60, 20]], np.float32), np.array([0.3, 0.2], np.float32))
    sources = np.array([DetectionSource.TURNED_LEFT], np.uint8)
    again = Detections(np.array([[0, 1, 10, 20]], np.float32), np.array([0.6], np.float32), sources)
    merged = merge_detections(whole, again)
    np.testing.assert_array_equal(merged.boxes, [[0, 1, 10, 20], [50, 0, 60, 20]])
    assert merged.sources.tolist() == [DetectionSource.TURNED_LEFT, DetectionSource.WHOLE]


def test_merging_nothing_gives_nothing() -> None:
    none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    assert len(merge_detections(none, none)) == 0
