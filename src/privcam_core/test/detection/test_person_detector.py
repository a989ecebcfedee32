import numpy as np
import pytest

from privcam_core.detection.person_detector import (
    PersonDetector,
    decode_boxes,
    input_size,
    letterbox,
    suppress_non_maxima,
)

STRIDES, BINS, CLASSES, PERSON = (8, 16, 32), 11, 80, 0
SIZE = (64, 96)


@pytest.fixture(scope="module")
def detector() -> PersonDetector:
    return PersonDetector(score=0.3)


def _silence() -> list[np.ndarray]:
    """Return outputs of a network that sees nothing in a picture of SIZE."""
    cells = [SIZE[0] * SIZE[1] // s**2 for s in STRIDES]
    classes = [np.full((1, n, CLASSES), 0.01, np.float32) for n in cells]
    return classes + [np.zeros((1, n, 4 * BINS), np.float32) for n in cells]


def _say(outputs: list[np.ndarray], level: int, cell: int, score: float, distances: list[int], what: int = 0) -> None:
    """Let a cell of a level report an object with certain distances (in strides) to the left, top, right, bottom."""
    outputs[level][0, cell, what] = score
    for side, distance in enumerate(distances):
        outputs[len(STRIDES) + level][0, cell, side * BINS + distance] = 50


def test_cell_and_distances_give_the_box_around_the_centre_of_the_cell() -> None:
    outputs = _silence()
    _say(outputs, 1, 2 * 6 + 3, 0.9, [1, 2, 1, 1])  # stride 16: row 2, column 3 of 6, centre (56, 40)
    boxes, scores = decode_boxes(outputs, SIZE, 0.25, STRIDES, BINS, PERSON)
    np.testing.assert_allclose(boxes, [[40, 8, 72, 56]], atol=1e-3)
    np.testing.assert_allclose(scores, [0.9])
    assert boxes.dtype == np.float32 and scores.dtype == np.float32


def test_uncertain_distance_is_the_mean_of_its_distribution() -> None:
    outputs = _silence()
    _say(outputs, 0, 0, 0.9, [0, 0, 2, 4])
    outputs[len(STRIDES)][0, 0, 2 * BINS + 4] = 50  # right: 2 or 4 strides, equally likely
    boxes, _ = decode_boxes(outputs, SIZE, 0.25, STRIDES, BINS, PERSON)
    np.testing.assert_allclose(boxes, [[4, 4, 4 + 3 * 8, 4 + 4 * 8]], atol=1e-3)


def test_other_classes_and_weak_cells_are_left_out() -> None:
    outputs = _silence()
    _say(outputs, 0, 5, 0.99, [1, 1, 1, 1], what=16)
    _say(outputs, 2, 1, 0.24, [1, 1, 1, 1])
    boxes, scores = decode_boxes(outputs, SIZE, 0.25, STRIDES, BINS, PERSON)
    assert boxes.shape == (0, 4) and scores.shape == (0,)
    assert len(decode_boxes(outputs, SIZE, 0.24, STRIDES, BINS, PERSON)[1]) == 1


def test_boxes_of_one_person_become_the_best_one_and_neighbours_stay() -> None:
    boxes = np.array([[0, 0, 10, 20], [1, 0, 11, 20], [8, 0, 18, 20], [40, 40, 50, 60]], np.float32)
    found = suppress_non_maxima(boxes, np.array([0.3, 0.8, 0.5, 0.9], np.float32))
    np.testing.assert_array_equal(found.boxes, boxes[[3, 1, 2]])
    np.testing.assert_allclose(found.scores, [0.9, 0.8, 0.5])


def test_box_without_area_is_dropped() -> None:
    assert len(suppress_non_maxima(np.array([[5, 5, 5.2, 30]], np.float32), np.ones(1, np.float32))) == 0
    assert len(suppress_non_maxima(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))) == 0


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(576, 768, (320, 416)), (480, 640, (320, 416)), (1080, 1920, (288, 480)), (1920, 1080, (480, 288))],
)
def test_common_pictures_get_the_input_that_shows_them_largest(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    assert input_size(height, width) == expected


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4000, 100), (100, 4000), (240, 320), (481, 479)])
def test_every_picture_gets_an_input_in_steps_of_32_and_of_bounded_cost(height: int, width: int) -> None:
    rows, columns = input_size(height, width)
    assert rows % 32 == 0 and columns % 32 == 0 and 0 < rows * columns <= 1.05 * 320 * 416


def test_letterbox_keeps_the_aspect_and_fills_the_rest_with_grey() -> None:
    image = np.full((100, 400, 3), 255, np.uint8)
    canvas, scale = letterbox(image, (96, 192))
    assert canvas.shape == (96, 192, 3) and scale == pytest.approx(0.48)
    assert (canvas[:48] == 255).all() and (canvas[48:] == 114).all()


def test_point_of_the_picture_is_found_at_its_scaled_place() -> None:
    image = np.zeros((576, 768, 3), np.uint8)
    image[300:330, 600:640] = 255
    canvas, scale = letterbox(image, input_size(576, 768))
    rows, columns = np.nonzero(canvas[:312, :, 0] > 127)
    np.testing.assert_allclose([columns.min(), columns.max() + 1], np.array([600, 640]) * scale, atol=1)
    np.testing.assert_allclose([rows.min(), rows.max() + 1], np.array([300, 330]) * scale, atol=1)


def test_empty_picture_has_no_people(detector: PersonDetector) -> None:
    found = detector.detect(np.full((480, 640, 3), 127, np.uint8))
    assert found.boxes.shape == (0, 4) and found.boxes.dtype == np.float32


def test_detections_are_sorted_and_reach_the_score() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (30, 40, 3), np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    found = PersonDetector(score=0.01).detect(noise)
    assert len(found) > 1 and (np.diff(found.scores) <= 0).all() and found.scores.min() >= 0.01


@pytest.mark.parametrize("shape", [(0, 640, 3), (480, 640, 4), (480, 640)])
def test_picture_of_another_shape_is_refused(detector: PersonDetector, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"image: "):
        detector.detect(np.zeros(shape, np.uint8))


def test_picture_of_16_bits_is_refused(detector: PersonDetector) -> None:
    with pytest.raises(ValueError, match="uint16"):
        detector.detect(np.zeros((480, 640, 3), np.uint16))


def test_score_outside_of_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match="score: 25 is not in"):
        PersonDetector(score=25)
