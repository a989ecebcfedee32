"""The status bar says what one has to know who sees few people move, or nobody."""

import numpy as np
import pytest

from privcam_cloud.reconstruction.playout_buffer import PlayoutBuffer
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict

KEY = SyncKey("room1", 1, 1_700_000_000 * 10**9)
SOMEBODY = SubjectPose(1, (120.0, 60.0, 180.0, 220.0), np.full((17, 3), 0.5, np.float32))
PNG = encode_environment(np.full((360, 480, 3), 140, np.uint8), np.ones((360, 480), bool))


def playout(pose_hz: float, *poses: SubjectPose, unseen: int = 0) -> PlayoutBuffer:
    report = PrivacyReport(0, 0, 0, Verdict.PASS, detector_hz=4.0, pose_hz=pose_hz, unseen_people=unseen)
    buffer = PlayoutBuffer()
    z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
    buffer.add_omega(Omega(KEY, environment_of(KEY, PNG, 1), poses, z, report))
    return buffer


@pytest.mark.parametrize(("pose_hz", "note"), [(0.5, "poses 0.5/s"), (1.0, "poses 1/s"), (2.0, ""), (0.0, "")])
def test_few_poses_are_said_with_their_number(pose_hz: float, note: str) -> None:
    assert playout(pose_hz, SOMEBODY).few_poses_note == note


def test_nothing_is_said_before_the_first_omega_and_where_nobody_is_in_view() -> None:
    assert PlayoutBuffer().few_poses_note == ""
    assert playout(4.0).few_poses_note == ""


def test_note_is_in_the_status_bar_and_nowhere_else() -> None:
    few, many = (playout(pose_hz, SOMEBODY).draw(0.0) for pose_hz in (1.0, 8.0))
    assert few is not None and many is not None
    assert (few[1][:360] == many[1][:360]).all()
    assert (few[1][360:] != many[1][360:]).any()


def test_room_in_which_nobody_is_seen_is_not_called_empty_while_somebody_is_there() -> None:
    assert playout(0.0).notes == ""
    assert playout(0.0, unseen=1).notes == "1 not found"
    assert playout(0.5, SOMEBODY, unseen=2).notes == "2 not found, poses 0.5/s"
    empty, occupied = playout(0.0).draw(0.0), playout(0.0, unseen=1).draw(0.0)
    assert empty is not None and occupied is not None
    assert (empty[1][360:] != occupied[1][360:]).any()
