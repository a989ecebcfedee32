"""BlazeFace: where its anchors are, and faces that are found where they were drawn."""

import cv2
import numpy as np
import pytest

from privcam_core.detection.face_detector import FaceDetector, anchor_centres, decode_boxes

SKIN, HAIR = (150, 180, 225), (40, 50, 70)


def wall(height: int = 240, width: int = 320) -> np.ndarray:
    return np.full((height, width, 3), (90, 110, 120), np.uint8)


def draw_face(image: np.ndarray, x: int, y: int, size: int) -> None:
    """Draw a face with its middle at x, y. size: px from ear to ear, about."""

    def disc(dx: float, dy: float, width: float, height: float, colour: tuple[int, int, int]) -> None:
        middle = (round(x + dx * size), round(y + dy * size))
        cv2.ellipse(image, middle, (round(width * size), round(height * size)), 0, 0, 360, colour, -1, cv2.LINE_AA)

    disc(0, -0.13, 0.6, 0.7, HAIR)
    disc(0, 0, 0.5, 0.65, SKIN)
    disc(0, -0.58, 0.47, 0.2, HAIR)
    for side in (-0.21, 0.21):
        disc(side, -0.11, 0.1, 0.05, (245, 245, 245))
        disc(side, -0.11, 0.05, 0.05, (30, 30, 40))
        disc(side, -0.24, 0.14, 0.04, HAIR)
    disc(0, 0.08, 0.07, 0.15, (125, 155, 205))
    disc(0, 0.35, 0.2, 0.06, (80, 80, 170))


@pytest.mark.parametrize(
    ("side", "grids", "count", "first", "last"),
    [
        (128, ((8, 2), (16, 6)), 896, (4, 4), (120, 120)),
        (192, ((4, 1),), 2304, (2, 2), (190, 190)),
    ],
)
def test_there_is_an_anchor_in_every_cell(
    side: int, grids: tuple[tuple[int, int], ...], count: int, first: tuple[int, int], last: tuple[int, int]
) -> None:
    centres = anchor_centres(side, grids)
    assert centres.shape == (count, 2)
    np.testing.assert_array_equal(centres[[0, -1]], [first, last])


def test_anchors_run_along_the_rows_and_repeat_within_a_cell() -> None:
    centres = anchor_centres(16, ((8, 2),))
    np.testing.assert_array_equal(centres, [(4, 4), (4, 4), (12, 4), (12, 4), (4, 12), (4, 12), (12, 12), (12, 12)])


def test_box_is_its_offset_from_the_anchor_and_its_size() -> None:
    values = np.zeros((2, 16), np.float32)
    values[1, :4] = 3, -2, 20, 10
    boxes, scores = decode_boxes(values, np.array([-9, 0], np.float32), np.array([[4, 4], [50, 60]], np.float32), 0.3)
    np.testing.assert_allclose(boxes, [[43, 53, 63, 63]])
    np.testing.assert_allclose(scores, [0.5])
    assert boxes.dtype == np.float32 and scores.dtype == np.float32


def test_extreme_logits_are_scores_of_0_and_1() -> None:
    logits = np.array([-1e4, 1e4], np.float32)
    _, scores = decode_boxes(np.zeros((2, 16), np.float32), logits, np.zeros((2, 2), np.float32), 0.0)
    np.testing.assert_allclose(scores, [0, 1], atol=1e-6)


@pytest.mark.parametrize(("model", "size"), [("face_short", 90), ("face_full", 90), ("face_full", 30)])
def test_face_is_found_where_it_is(model: str, size: int) -> None:
    image = wall()
    draw_face(image, 220, 100, size)
    found = FaceDetector(model).detect(image)
    assert len(found) == 1
    x0, y0, x1, y1 = found.boxes[0]
    np.testing.assert_allclose([(x0 + x1) / 2, (y0 + y1) / 2], [220, 100], atol=0.3 * size)
    assert 0.6 * size < x1 - x0 < 1.6 * size


@pytest.mark.parametrize("model", ["face_short", "face_full"])
def test_wall_has_no_face(model: str) -> None:
    found = FaceDetector(model).detect(wall())
    assert found.boxes.shape == (0, 4) and found.boxes.dtype == np.float32


def test_other_models_scores_and_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="'nanodet' is not a face detector; there are face_short, face_full"):
        FaceDetector("nanodet")
    with pytest.raises(ValueError, match="score: 50 is not in"):
        FaceDetector(score=50)
    with pytest.raises(ValueError, match="image: "):
        FaceDetector().detect(np.zeros((240, 320), np.uint8))
