"""Detections and tracks survive as messages, and wrong ones are named."""

from dataclasses import replace

import numpy as np
import pytest
from privcam_msgs import msg

from privcam_core.types.omega import InvalidOmega, SyncKey
from privcam_core.types.perception import Detections, DetectionSource, Track, TrackState
from privcam_ros.conversions import (
    detections_from_msg,
    detections_to_msg,
    key_from_msg,
    key_to_msg,
    tracks_from_msg,
    tracks_to_msg,
)

KEY = SyncKey("room1", 7, 1_700_000_000_123_456_789)


def test_detections_survive_and_no_detections_too() -> None:
    some = Detections(np.array([[1, 2, 3, 4], [5, 6, 70, 80]], np.float32), np.array([0.9, 0.1], np.float32))
    turned = replace(some, sources=np.array([DetectionSource.UPSIDE_DOWN, DetectionSource.WHOLE], np.uint8))
    none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    for detections in (some, turned, none):
        message = detections_to_msg(detections, KEY)
        back = detections_from_msg(message)
        np.testing.assert_array_equal(back.boxes, detections.boxes)
        np.testing.assert_array_equal(back.scores, detections.scores)
        np.testing.assert_array_equal(back.sources, detections.sources)
        assert key_from_msg(message.key) == KEY


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"score": 1.5}, "detections.score"),
        ({"source": 5}, "detections.source"),
        ({"score": float("nan")}, "detections.score"),
        ({"box": np.array([1, 2, 1, 4], np.float32)}, "detections.box"),
        ({"box": np.array([1, 2, np.inf, 4], np.float32)}, "detections.box"),
    ],
)
def test_wrong_detection_is_named(change: dict[str, object], field: str) -> None:
    good = {"box": np.array([1, 2, 3, 4], np.float32), "score": 0.5}
    message = msg.DetectionArray(key=key_to_msg(KEY), detections=[msg.Detection(**(good | change))])
    with pytest.raises(InvalidOmega) as error:
        detections_from_msg(message)
    assert error.value.field == field


TRACK = Track(3, (1.0, 2.0, 3.0, 4.0), (0.5, -0.5, 0.25, 0.0), 0.75, TrackState.CONFIRMED, 4, 5, 0)


def test_tracks_survive_and_no_tracks_too() -> None:
    tracks = [TRACK, replace(TRACK, subject_id=4, source=DetectionSource.TURNED_LEFT)]
    assert tracks_from_msg(tracks_to_msg(tracks, KEY)) == tracks
    assert tracks_from_msg(tracks_to_msg([], KEY)) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"subject_id": 0}, "tracks.subject_id"),
        ({"box": (1.0, 2.0, 1.0, 4.0)}, "tracks.box"),
        ({"velocity": (1.0, 2.0, float("nan"), 4.0)}, "tracks.velocity"),
        ({"score": -0.5}, "tracks.score"),
        ({"state": 3}, "tracks.state"),
        ({"source": 9}, "tracks.source"),
    ],
)
def test_wrong_track_is_named(change: dict[str, object], field: str) -> None:
    message = tracks_to_msg([replace(TRACK, **change)], KEY)
    with pytest.raises(InvalidOmega) as error:
        tracks_from_msg(message)
    assert error.value.field == field
