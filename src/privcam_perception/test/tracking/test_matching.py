"""Linear assignment, the matching cascade and the gallery of descriptors."""

import numpy as np
import pytest

from privcam_perception.tracking import matching
from privcam_perception.tracking.gallery import Gallery


def test_assignment_takes_the_cheapest_whole_and_not_the_cheapest_first() -> None:
    cost = np.array([[0.1, 0.2], [0.2, 0.9]])
    assert matching.assign(cost, [0, 1], [0, 1]).pairs == [(0, 1), (1, 0)]


def test_a_forbidden_pair_is_never_matched_even_when_nothing_else_is_left() -> None:
    cost = np.array([[matching.FORBIDDEN, 0.3], [matching.FORBIDDEN, 0.2]])
    found = matching.assign(cost, [0, 1], [0, 1])
    assert found.pairs == [(1, 1)]
    assert found.tracks == [0]
    assert found.detections == [0]


def test_assignment_of_nothing_leaves_everything_over() -> None:
    found = matching.assign(np.zeros((2, 0)), [1, 0], [])
    assert (found.pairs, found.tracks, found.detections) == ([], [0, 1], [])


def test_cascade_lets_the_track_seen_last_choose_before_one_lost_for_long() -> None:
    cost = np.array([[0.1], [0.6]])
    assert matching.assign(cost, [0, 1], [0]).pairs == [(0, 0)]
    assert matching.cascade(cost, [20, 0], [0, 1], [0]).pairs == [(1, 0)]


def test_gallery_returns_its_smallest_distance_and_drops_the_oldest_descriptor() -> None:
    east, north = np.eye(2, dtype=np.float32)
    gallery = Gallery(budget=2)
    gallery.add(east)
    gallery.add(north)
    assert gallery.distances(np.stack((east, north))) == pytest.approx([0, 0])
    gallery.add(north)
    assert len(gallery) == 2
    assert gallery.distances(east[None]) == pytest.approx([1])


def test_empty_gallery_excludes_nobody() -> None:
    assert Gallery().distances(np.eye(3, dtype=np.float32)).tolist() == [0, 0, 0]
