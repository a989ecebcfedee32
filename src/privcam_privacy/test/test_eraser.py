"""The seam as a whole: its modes, what survives a restart, and what is said when that fails."""

from pathlib import Path

import numpy as np
import pytest

from privcam_core.images.environment import decode_environment, encode_environment
from privcam_core.types.omega import SubjectPose, SyncKey
from privcam_core.types.perception import Detections
from privcam_privacy.egress.inspection import AtOnce
from privcam_privacy.eraser import Eraser
from privcam_privacy.plates.approved import CommissionedPlate
from privcam_privacy.poses.anonymizer import PoseSettings
from privcam_privacy.state.background_state import PlateMemory

SHAPE = (240, 320)
NOBODY = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
KEYPOINTS = np.column_stack([np.linspace(100, 140, 17), np.linspace(40, 200, 17), np.ones(17)]).astype(np.float32)
SOMEBODY = SubjectPose(1, (90.0, 30.0, 150.0, 210.0), KEYPOINTS)


def room() -> np.ndarray:
    rows, columns = np.linspace(60, 190, SHAPE[0])[:, None], np.linspace(0, 40, SHAPE[1])[None]
    return np.repeat((rows + columns)[..., None], 3, axis=2).astype(np.uint8)


def key(number: int) -> SyncKey:
    return SyncKey("room", number + 1, 1_700_000_000 * 10**9 + number * 10**8)


def watched(eraser: Eraser, frames: int) -> list:
    return [eraser(key(number), room(), NOBODY, [], []) for number in range(frames)]


def plate() -> CommissionedPlate:
    png = encode_environment(room(), np.ones(SHAPE, np.bool_))
    return CommissionedPlate(png, "room", 1, "nurse", 2, "test", {}, ())


def test_locked_shows_the_approved_bytes_from_the_first_frame_on_whatever_the_camera_sees() -> None:
    eraser = Eraser("locked", plate=plate())
    first = eraser(key(0), 255 - room(), NOBODY, [], []).environment
    assert first.png == plate().png
    later = eraser(key(1), np.zeros((*SHAPE, 3), np.uint8), NOBODY, [], []).environment
    assert later.digest == first.digest


def test_paper_shows_the_frame() -> None:
    shown, validity = decode_environment(Eraser("paper")(key(0), room(), NOBODY, [], []).environment.png)
    assert validity.all()
    np.testing.assert_array_equal(shown, room())


@pytest.mark.parametrize(("mode", "given"), [("locked", None), ("adaptive", plate()), ("blur", None)])
def test_a_mode_without_what_it_needs_is_refused(mode: str, given: CommissionedPlate | None) -> None:
    with pytest.raises(ValueError, match="mode"):
        Eraser(mode, plate=given)


def test_poses_leave_anonymised_and_with_their_budget() -> None:
    eraser = Eraser("locked", plate=plate(), poses=PoseSettings(seed=1))
    published = [eraser(key(number), room(), NOBODY, [], [SOMEBODY]) for number in range(10)][-1]
    assert [pose.subject_id for pose in published.poses] == [1]
    assert not np.array_equal(published.poses[0].keypoints, KEYPOINTS)
    assert published.poses[0].box != SOMEBODY.box
    assert published.report.epsilon > 0
    assert 0 < published.report.delta < 1


def test_raw_poses_leave_as_they_are_and_say_so() -> None:
    published = Eraser("locked", plate=plate(), poses=PoseSettings(mode="raw"))(key(0), room(), NOBODY, [], [SOMEBODY])
    np.testing.assert_array_equal(published.poses[0].keypoints, KEYPOINTS)
    assert published.report.epsilon < 0


def test_the_room_is_shown_again_soon_after_a_restart(tmp_path: Path) -> None:
    before = watched(Eraser(memory=PlateMemory(tmp_path, AtOnce())), 150)
    assert before[-1].environment.confirmed_fraction > 0.9
    after = watched(Eraser(memory=PlateMemory(tmp_path, AtOnce())), 150)
    unaided = watched(Eraser(), 150)
    shown = [next(k for k, one in enumerate(run) if one.environment.confirmed_fraction > 0.9) for run in (after, unaided)]
    assert after[0].environment.confirmed_fraction == 0
    assert shown[0] <= shown[1]


def test_a_memory_that_was_changed_is_not_used_and_that_is_said(tmp_path: Path) -> None:
    watched(Eraser(memory=PlateMemory(tmp_path, AtOnce())), 150)
    (tmp_path / "picture.png").write_bytes(b"another")
    eraser = Eraser(memory=PlateMemory(tmp_path, AtOnce()))
    assert "memory.json" in eraser.memory_error
    assert watched(eraser, 1)[0].environment.confirmed_fraction == 0


def test_a_disk_that_takes_nothing_costs_the_memory_and_no_frame(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    eraser = Eraser(memory=PlateMemory(tmp_path / "file", AtOnce()))
    assert len(watched(eraser, 60)) == 60
    assert "cannot be kept" in eraser.memory_error
