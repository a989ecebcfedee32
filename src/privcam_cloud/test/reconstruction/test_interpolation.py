from math import pi

import numpy as np
import pytest

from privcam_cloud.reconstruction.interpolation import Interpolator
from privcam_core.types.omega import HeadOrientation, SubjectPose

T0 = 1_700_000_000_000_000_000
FRAME = 100_000_000


def pose(subject_id=1, u=0.0, layer=0, head=None, rho=0.9):
    keypoints = np.full((17, 3), rho, np.float32)
    keypoints[:, :2] = np.arange(34).reshape(17, 2) + u
    return SubjectPose(subject_id, (u, 0.0, u + 50, 100.0), keypoints, head, layer)


def between(before, after):
    motion = Interpolator()
    motion.add(T0, before)
    motion.add(T0 + FRAME, after)
    return motion


def test_half_way_in_time_is_half_way_in_the_picture():
    (middle,) = between([pose(u=0)], [pose(u=10)]).at(T0 + FRAME // 2)
    assert np.allclose(middle.keypoints[:, :2], pose(u=5).keypoints[:, :2])
    assert middle.box == pytest.approx((5, 0, 55, 100))


def test_at_the_moment_of_a_frame_its_own_poses_are_shown():
    motion = between([pose(u=0)], [pose(u=10)])
    assert np.allclose(motion.at(T0)[0].keypoints, pose(u=0).keypoints)
    assert np.allclose(motion.at(T0 + FRAME)[0].keypoints, pose(u=10).keypoints)


def test_after_the_newest_frame_poses_are_held_for_one_frame_and_never_moved_on():
    motion = between([pose(u=0)], [pose(u=10)])
    (held,) = motion.at(T0 + 2 * FRAME)
    assert np.allclose(held.keypoints, pose(u=10).keypoints)
    assert motion.at(T0 + 2 * FRAME + 1) == []


def test_before_the_first_frame_nobody_is_shown():
    motion = between([pose()], [pose()])
    assert motion.at(T0 - 1) == []
    assert Interpolator().at(T0) == []


def test_subject_that_appears_is_shown_from_half_way_where_it_was_first_seen():
    motion = between([pose(1)], [pose(1), pose(2, u=30, layer=1)])
    assert [p.subject_id for p in motion.at(T0 + 49_000_000)] == [1]
    displayed = motion.at(T0 + 51_000_000)
    assert [p.subject_id for p in displayed] == [1, 2]
    assert np.allclose(displayed[1].keypoints, pose(2, u=30).keypoints)


def test_subject_that_leaves_is_gone_after_half_way():
    motion = between([pose(1), pose(2, layer=1)], [pose(1)])
    assert len(motion.at(T0 + 49_000_000)) == 2
    assert len(motion.at(T0 + 51_000_000)) == 1


def test_keypoint_that_only_one_frame_has_seen_does_not_move_towards_the_unseen_place():
    later = pose(u=10)
    later.keypoints[9] = (9999, 9999, 0.05)
    motion = between([pose(u=0)], [later])
    early, late = motion.at(T0 + 30_000_000)[0], motion.at(T0 + 70_000_000)[0]
    assert early.keypoints[9, :2].tolist() == pose(u=0).keypoints[9, :2].tolist()
    assert late.keypoints[9, 2] == pytest.approx(0.05)


def test_frames_far_apart_are_not_joined():
    motion = Interpolator(max_gap_s=0.5)
    for stamp, u in ((0, 0), (FRAME, 0), (50 * FRAME, 500)):
        motion.add(T0 + stamp, [pose(u=u)])
    assert len(motion.at(T0 + 2 * FRAME)) == 1
    assert motion.at(T0 + 20 * FRAME) == []
    assert motion.at(T0 + 50 * FRAME)[0].box[0] == 500


def test_layers_stay_unique_when_two_frames_together_use_one_twice():
    displayed = between([pose(1, layer=0), pose(2, layer=1)], [pose(2, layer=0), pose(1, layer=1)]).at(T0 + 70_000_000)
    assert [(p.subject_id, p.layer) for p in displayed] == [(2, 0), (1, 1)]
    mixed = between([pose(1, layer=0), pose(2, layer=1)], [pose(1, layer=1)]).at(T0 + 30_000_000)
    assert sorted(p.layer for p in mixed) == [0, 1]


def test_head_turns_the_short_way_round():
    a, b = HeadOrientation(pi - 0.1, 0.2, 0.0), HeadOrientation(-pi + 0.1, 0.4, 0.0)
    (middle,) = between([pose(head=a)], [pose(head=b)]).at(T0 + FRAME // 2)
    assert abs(middle.head.yaw) == pytest.approx(pi, abs=1e-6)
    assert middle.head.pitch == pytest.approx(0.3)


def test_frame_that_is_not_newer_is_refused_until_cleared():
    motion = between([pose()], [pose()])
    with pytest.raises(ValueError, match="clear"):
        motion.add(T0, [pose()])
    motion.clear()
    motion.add(T0, [pose()])
    assert motion.newest_ns == T0


def test_old_frames_are_forgotten():
    motion = Interpolator(memory_s=1.0)
    for step in range(100):
        motion.add(T0 + step * FRAME, [pose()])
    assert motion.at(T0) == []
    assert motion.at(T0 + 95 * FRAME)
    assert motion.interval_ns == FRAME
