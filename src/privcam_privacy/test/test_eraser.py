"""The eraser as a whole: its modes, the stored state over a restart, and the error when that fails."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privcam_anonymization.anonymizer import PoseSettings
from privcam_anonymization.random_source import seeded
from privcam_core.detection.inspection import SensitiveDetection
from privcam_core.images.environment import decode_environment, encode_environment
from privcam_core.inline_executor import InlineExecutor
from privcam_core.storage_key import StorageKey
from privcam_core.types.omega import SubjectPose, SyncKey
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_core.types.sight import Sight
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.eraser import Eraser
from privcam_privacy.plates.approved import ApprovedPlate
from privcam_privacy.state.background_state import BackgroundStateStore

KEY = StorageKey(bytes(32))
TRANSIT = EngineSettings(evidence="transit")
SHAPE = (240, 320)
NOBODY = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
KEYPOINTS = np.column_stack([np.linspace(100, 140, 17), np.linspace(40, 200, 17), np.ones(17)]).astype(np.float32)
SOMEBODY = SubjectPose(1, (90.0, 30.0, 150.0, 210.0), KEYPOINTS)


def room() -> np.ndarray:
    coarse = np.random.default_rng(3).integers(60, 190, (15, 20, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((16, 16, 1), np.uint8))


def frame(number: int) -> np.ndarray:
    """Return the room as a camera with noise sees it."""
    noise = np.random.default_rng(number).integers(-3, 4, (*SHAPE, 1))
    return (room() + noise).astype(np.uint8)


def key(number: int) -> SyncKey:
    return SyncKey("room", number + 1, 1_700_000_000 * 10**9 + number * 10**8)


def run_frames(eraser: Eraser, frames: int) -> list:
    return [eraser.erase(key(number), frame(number), NOBODY, [], []) for number in range(frames)]


def store(folder: Path) -> BackgroundStateStore:
    return BackgroundStateStore(folder, "room", KEY, InlineExecutor())


def plate() -> ApprovedPlate:
    png = encode_environment(room(), np.ones(SHAPE, np.bool_))
    return ApprovedPlate(png, "room", 1, "nurse", 2, "test", {}, ())


def test_locked_publishes_the_approved_bytes_from_the_first_frame_on_whatever_the_camera_sees() -> None:
    eraser = Eraser("locked", plate=plate())
    first = eraser.erase(key(0), 255 - room(), NOBODY, [], []).environment
    assert first.png == plate().png
    later = eraser.erase(key(1), np.zeros((*SHAPE, 3), np.uint8), NOBODY, [], []).environment
    assert later.digest == first.digest


def test_mask_only_publishes_the_frame() -> None:
    picture, confirmed = decode_environment(Eraser("mask_only").erase(key(0), room(), NOBODY, [], []).environment.png)
    assert confirmed.all()
    np.testing.assert_array_equal(picture, room())


@pytest.mark.parametrize(("mode", "given"), [("locked", None), ("adaptive", plate()), ("blur", None)])
def test_a_mode_without_what_it_needs_is_refused(mode: str, given: ApprovedPlate | None) -> None:
    with pytest.raises(ValueError, match="mode"):
        Eraser(mode, plate=given)


def test_poses_leave_anonymised_and_with_their_budget() -> None:
    eraser = Eraser("locked", plate=plate(), random_bytes=seeded(1))
    published = [eraser.erase(key(number), room(), NOBODY, [], [SOMEBODY]) for number in range(10)][-1]
    assert [pose.subject_id for pose in published.poses] == [1]
    assert not np.array_equal(published.poses[0].keypoints, KEYPOINTS)
    assert published.poses[0].box != SOMEBODY.box
    assert published.report.epsilon > 0
    assert 0 < published.report.delta < 1


def test_raw_poses_leave_as_they_are_and_say_so() -> None:
    published = Eraser("locked", plate=plate(), poses=PoseSettings(mode="raw")).erase(
        key(0), room(), NOBODY, [], [SOMEBODY]
    )
    np.testing.assert_array_equal(published.poses[0].keypoints, KEYPOINTS)
    assert published.report.epsilon < 0


def test_the_background_is_published_again_soon_after_a_restart(tmp_path: Path) -> None:
    before = run_frames(Eraser(settings=TRANSIT, state=store(tmp_path)), 150)
    assert before[-1].environment.confirmed_fraction > 0.9
    after = run_frames(Eraser(settings=TRANSIT, state=store(tmp_path)), 150)
    unaided = run_frames(Eraser(settings=TRANSIT), 150)
    first = [
        next(k for k, one in enumerate(run) if one.environment.confirmed_fraction > 0.9) for run in (after, unaided)
    ]
    assert after[0].environment.confirmed_fraction == 0
    assert first[0] <= first[1]


def restarted(folder: Path) -> Eraser:
    return Eraser(settings=TRANSIT, state=store(folder))


def test_a_stored_state_that_was_changed_is_not_used_and_reported(tmp_path: Path) -> None:
    run_frames(Eraser(settings=TRANSIT, state=store(tmp_path)), 150)
    (tmp_path / "state.zip").write_bytes(b"another")
    eraser = restarted(tmp_path)
    assert "state.zip" in eraser.state_error
    # Somebody whom nobody finds may be anywhere.
    assert max(one.environment.confirmed_fraction for one in run_frames(eraser, 150)) == 0
    # What is written then says so, too.
    assert max(one.environment.confirmed_fraction for one in run_frames(restarted(tmp_path), 150)) == 0


def test_a_disk_that_cannot_be_written_costs_the_state_and_no_frame(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    eraser = Eraser(settings=TRANSIT, state=store(tmp_path / "file"))
    assert len(run_frames(eraser, 60)) == 60
    assert "cannot be kept" in eraser.state_error


def test_the_report_says_why_the_camera_cannot_see_in_every_mode() -> None:
    for eraser in (Eraser("locked", plate=plate()), Eraser(settings=TRANSIT), Eraser("mask_only")):
        reports = [eraser.erase(key(number), frame(number) // 5, NOBODY, [], []).report for number in range(3)]
        assert [report.sight for report in reports] == [Sight.UNKNOWN, Sight.DARK, Sight.DARK]


class FindsOnce:
    """Finds somebody in the picture with the number `at`, and nobody before and after."""

    def __init__(self, at: int) -> None:
        self.at, self.inspected = at, 0

    def inspect(self, _png: bytes) -> list[SensitiveDetection]:
        self.inspected += 1
        return (
            [SensitiveDetection("person", (100.0, 60.0, 140.0, 160.0), 0.9, 1.0)] if self.inspected == self.at else []
        )


def test_in_a_still_scene_a_finding_is_quarantined_with_the_next_frame_and_stays_out() -> None:
    inspector = FindsOnce(2)
    eraser = Eraser("adaptive", TRANSIT, inspector=inspector, executor=InlineExecutor())
    stale, shown, found_at = replace(NOBODY, fresh=False), np.zeros(SHAPE, np.bool_), None
    for number in range(300):
        # As from a detector that looks once a second: the engine may repeat its last result in between.
        detections = NOBODY if number % 10 == 0 else stale
        published = eraser.erase(key(number), frame(number), detections, [], [])
        found_at = number if found_at is None and inspector.inspected >= 2 else found_at
        if published.environment.png:
            _, shown = decode_environment(published.environment.png)
        if found_at is not None:
            assert not shown[60:160, 100:140].any()
    assert found_at is not None
    assert shown.any()


def test_report_says_how_often_the_networks_saw_the_scene() -> None:
    eraser = Eraser("locked", plate=plate())
    reports = []
    for number in range(31):
        # Ten frames per second: the detector saw every fifth of them, the pose was estimated in every second one.
        detections, estimated = replace(NOBODY, fresh=number % 5 == 0), {1} if number % 2 == 0 else set()
        published = eraser.erase(key(number), room(), detections, [], [SOMEBODY], estimated=estimated)
        reports.append((published.report.detector_hz, published.report.pose_hz))
    assert set(reports[:20]) == {(0.0, 0.0)}
    assert reports[30] == (2.0, 4.0)


def test_somebody_who_is_tracked_and_never_has_a_pose_is_in_view() -> None:
    track = Track(7, SOMEBODY.box, (0.0, 0.0, 0.0, 0.0), 0.9, TrackState.CONFIRMED, 9, 9, 0)
    eraser = Eraser("locked", plate=plate())
    reports = [eraser.erase(key(n), room(), NOBODY, [track], [SOMEBODY], estimated={1}).report for n in range(31)]
    assert reports[30].pose_hz == 0.5
    lost = replace(track, state=TrackState.LOST)
    reports = [eraser.erase(key(n), room(), NOBODY, [lost], [SOMEBODY]).report for n in range(31, 62)]
    assert reports[30].pose_hz == 10.0
