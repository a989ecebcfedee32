"""Tiles cover the picture and overlap; the detector runs again only on tiles whose pixels changed."""

import numpy as np
import pytest

from privcam_core.detection.tiling import OVERLAP, TiledDetector, grid
from privcam_core.types.perception import Detections


class BrightSpots:
    """A detector that finds white pixels, and counts how often it is called."""

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, image: np.ndarray) -> Detections:
        self.calls += 1
        rows, columns = np.nonzero(image[..., 0] == 255)
        boxes = np.stack([columns, rows, columns + 1, rows + 1], axis=1).astype(np.float32)
        return Detections(boxes, np.ones(len(rows), np.float32))


@pytest.mark.parametrize("shape", [(576, 768), (240, 320), (720, 406), (31, 7), (1, 1)])
@pytest.mark.parametrize("per_side", [1, 2, 3, 4])
def test_tiles_cover_every_pixel_and_stay_inside(shape: tuple[int, int], per_side: int) -> None:
    covered = np.zeros(shape, int)
    tiles = grid(*shape, per_side)
    for x0, y0, x1, y1 in tiles:
        assert 0 <= x0 < x1 <= shape[1] and 0 <= y0 < y1 <= shape[0]
        covered[y0:y1, x0:x1] += 1
    assert len(tiles) == per_side**2 and covered.min() >= 1
    assert len({(x1 - x0, y1 - y0) for x0, y0, x1, y1 in tiles}) == 1


def test_one_tile_is_the_whole_picture() -> None:
    assert grid(480, 640, 1) == [(0, 0, 640, 480)]


@pytest.mark.parametrize("per_side", [2, 3, 4])
def test_object_smaller_than_the_overlap_lies_completely_in_a_tile(per_side: int) -> None:
    tiles = grid(480, 640, per_side)
    wide, tall = tiles[0][2] - tiles[0][0], tiles[0][3] - tiles[0][1]
    size = (int(wide * OVERLAP) - 2, int(tall * OVERLAP) - 2)
    for x in range(0, 640 - size[0], 13):
        for y in range(0, 480 - size[1], 13):
            assert any(x0 <= x and y0 <= y and x + size[0] <= x1 and y + size[1] <= y1 for x0, y0, x1, y1 in tiles), (
                x,
                y,
            )


@pytest.mark.parametrize(("per_side", "overlap"), [(0, 0.2), (2, 1.0), (2, -0.1)])
def test_impossible_tiles_are_refused(per_side: int, overlap: float) -> None:
    with pytest.raises(ValueError, match=f"tiles: {per_side} per side with overlap {overlap}"):
        grid(480, 640, per_side, overlap)


def test_detections_are_in_pixels_of_the_picture() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[90, 180] = image[5, 3] = 255
    found = TiledDetector(BrightSpots()).detect(image, grid(100, 200, 2))
    assert {tuple(box) for box in found.boxes.tolist()} == {(180, 90, 181, 91), (3, 5, 4, 6)}


def test_detector_runs_again_only_on_tiles_that_changed() -> None:
    spots = BrightSpots()
    detector, tiles = TiledDetector(spots), grid(100, 200, 4)
    image = np.zeros((100, 200, 3), np.uint8)
    detector.detect(image, tiles)
    assert spots.calls == 16
    image[2, 2] = 255
    assert len(detector.detect(image, tiles)) == 1
    assert spots.calls == 17
    assert len(detector.detect(image, tiles)) == 1
    assert spots.calls == 17


def test_no_tiles_find_nothing() -> None:
    found = TiledDetector(BrightSpots()).detect(np.full((10, 10, 3), 255, np.uint8), [])
    assert found.boxes.shape == (0, 4) and found.scores.shape == (0,)
