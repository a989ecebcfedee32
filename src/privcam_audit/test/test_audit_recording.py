import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from privcam_audit.perception_recording import FramePerception, pack, record, unpack
from privcam_core.types.omega import HeadOrientation, SubjectPose, SyncKey
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_evaluation.clip_reader import annotated_crop, parse_crop

WIDTH, HEIGHT, RATE_HZ, FRAMES = 96, 64, 30.0, 24


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip in which a bright bar moves one step to the right in every frame."""
    path = tmp_path / "clips" / "bar.avi"
    path.parent.mkdir()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), RATE_HZ, (WIDTH, HEIGHT))
    for number in range(FRAMES):
        image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        image[:, 3 * number : 3 * number + 3] = 200
        writer.write(image)
    writer.release()
    return path


def bar(image: np.ndarray) -> int:
    return int(np.argmax(image[HEIGHT // 2, :, 0] > 130))


def test_every_second_frame_of_a_fast_clip_is_taken_at_half_its_rate(clip: Path, tmp_path: Path) -> None:
    recording = record(clip, cache=tmp_path / "cache", rate_hz=15.0)
    assert len(recording) == FRAMES // 2
    assert recording.rate_hz == 15.0
    assert [bar(frame.image) for frame in recording.frames()] == [6 * n for n in range(FRAMES // 2)]
    assert recording.seconds(len(recording) - 1) == pytest.approx((FRAMES // 2 - 1) / 15.0)
    assert [frame.key.frame_id for frame in recording.frames()] == list(range(1, FRAMES // 2 + 1))


def test_recording_can_be_read_again_and_again(clip: Path, tmp_path: Path) -> None:
    recording = record(clip, cache=tmp_path / "cache")
    first, second = ([frame.image for frame in recording.frames()] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_findings_are_kept_and_hold_no_picture(clip: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    recording = record(clip, cache=cache)
    (kept,) = cache.iterdir()
    written = kept.stat().st_mtime_ns
    with np.load(kept) as arrays:
        assert sum(array.nbytes for array in arrays.values()) < FRAMES * HEIGHT * WIDTH / 10
    again = record(clip, cache=cache)
    assert kept.stat().st_mtime_ns == written
    assert [found.key for found in again.perceptions] == [found.key for found in recording.perceptions]


def test_other_settings_and_another_clip_are_recorded_anew(clip: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    digests = {record(clip, cache=cache, rate_hz=rate_hz).digest for rate_hz in (15.0, 30.0)}
    digests.add(record(clip, cache=cache, crop=(0, 0, 64, 64)).digest)
    clip.write_bytes(clip.read_bytes() + b"\0")
    digests.add(record(clip, cache=cache).digest)
    assert len(digests) == len(list(cache.iterdir())) == 4


def test_only_the_first_seconds_are_taken_where_asked_for(clip: Path, tmp_path: Path) -> None:
    assert len(record(clip, cache=tmp_path / "cache", seconds=0.4)) == 6


def test_crop_is_the_picture_of_the_recording(clip: Path, tmp_path: Path) -> None:
    recording = record(clip, cache=tmp_path / "cache", crop=(12, 10, 60, 50))
    images = [frame.image for frame in recording.frames()]
    assert recording.shape == (40, 48)
    assert {image.shape for image in images} == {(40, 48, 3)}
    assert int(np.argmax(images[4][5, :, 0] > 130)) == 24 - 12


def test_crop_beyond_the_picture_is_refused(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not within the 96x64 px"):
        record(clip, cache=tmp_path / "cache", crop=(0, 0, 97, 64))


def test_right_half_is_taken_where_the_annotations_say_that_the_camera_is_there(clip: Path) -> None:
    note = "640x240 = depth (left half, x<320) + RGB (right half)"
    entry = {"file": "clips/bar.avi", "width": WIDTH, "height": HEIGHT, "note": note}
    annotations = clip.parent.parent / "annotations.json"
    annotations.write_text(json.dumps([entry]))
    assert annotated_crop(clip) == (WIDTH // 2, 0, WIDTH, HEIGHT)
    annotations.write_text(json.dumps([{**entry, "note": "RGB only"}, {**entry, "file": "other.avi"}]))
    assert annotated_crop(clip) is None


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "10,0,5,5", "-1,0,5,5", "0,0,5,5,5"])
def test_crop_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="crop"):
        parse_crop(text)


def test_crop_is_read_from_text() -> None:
    assert parse_crop("320,0,640,240") == (320, 0, 640, 240)


def test_findings_come_back_from_the_disk_as_they_were() -> None:
    random = np.random.default_rng(3)
    track = Track(7, (1.25, 2.5, 30.1, 60.7), (0.1, -3.0, 0.01, 2.0), 0.625, TrackState.LOST, 12, 30, 3)
    keypoints = random.random((17, 3)).astype(np.float32)
    poses = [
        SubjectPose(7, track.box, keypoints, HeadOrientation(0.1, -0.2, 0.3), 1),
        SubjectPose(9, (5.0, 5.0, 9.0, 9.0), keypoints[::-1].copy(), None, 0),
    ]
    key = SyncKey("audit", 1, 1_700_000_000 * 10**9)
    nobody = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    somebody = Detections(random.random((2, 4)).astype(np.float32), np.array([0.9, 0.1], np.float32))
    found = [
        FramePerception(key, nobody, [], []),
        FramePerception(SyncKey("audit", 2, key.stamp_ns + 1), somebody, [track], poses),
    ]
    shape, back = unpack(pack((48, 64), found))
    assert shape == (48, 64)
    assert [one.key for one in back] == [one.key for one in found]
    assert back[0].tracks == [] and len(back[0].detections) == 0
    assert back[1].tracks == [track]
    assert np.array_equal(back[1].detections.boxes, somebody.boxes)
    for one, other in zip(back[1].poses, poses, strict=True):
        assert (one.subject_id, one.box, one.head, one.layer) == (
            other.subject_id,
            other.box,
            other.head,
            other.layer,
        )
        assert np.array_equal(one.keypoints, other.keypoints)
