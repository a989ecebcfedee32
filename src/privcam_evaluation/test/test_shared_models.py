"""Models run once for the same pixels."""

import numpy as np

from privcam_core.images.environment import encode_environment
from privcam_core.types.perception import Track, TrackState
from privcam_evaluation.shared_models import SharedModels


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3)).astype(np.uint8)


def test_the_same_pixels_are_searched_once_and_others_anew() -> None:
    models = SharedModels()
    first = models.detect(picture(1))
    assert models.detect(picture(1).copy()) is first
    assert models.detect(picture(2)) is not first
    assert models.summary == "2 detections computed, 1 detections reused"


def test_poses_are_shared_where_picture_and_tracks_are_the_same() -> None:
    models, calls = SharedModels(), []

    def poses(x: float) -> None:
        track = Track(1, (x, 0.0, 20.0, 40.0), (0.0, 0.0, 0.0, 0.0), 0.9, TrackState.CONFIRMED, 9, 9, 0)
        models.poses(picture(1), [track], lambda: calls.append(x) or [])

    for x in (0.0, 0.0, 1.0):
        poses(x)
    assert calls == [0.0, 1.0]


def test_a_picture_is_inspected_once_for_all_kinds_of_evidence() -> None:
    models = SharedModels()
    png = encode_environment(picture(1), np.ones((64, 64), np.bool_))
    one, other = models.inspector(), models.inspector()
    assert other.inspect(png) is one.inspect(png)
    assert "1 inspections computed, 1 inspections reused" in models.summary


def test_what_was_not_used_for_longest_is_forgotten(monkeypatch) -> None:
    monkeypatch.setattr("privcam_evaluation.shared_models._MAX_RESULTS", 2)
    models, calls = SharedModels(), []
    for data in (b"a", b"b", b"a", b"c", b"a", b"b"):
        models.share("poses", lambda data=data: calls.append(data), data)
    assert calls == [b"a", b"b", b"c", b"b"]
