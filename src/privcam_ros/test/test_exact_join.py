from privcam_core.types.omega import SyncKey
from privcam_ros.exact_join import ExactJoin


def key(frame: int, camera: str = "a", stamp: int = 0) -> SyncKey:
    return SyncKey(camera, frame, stamp or frame * 10**8)


def test_a_frame_is_complete_when_every_topic_has_the_same_key():
    join = ExactJoin(["x", "y"])
    assert join.add("y", key(1), "b", 0.0) is None
    assert join.add("x", key(1), "a", 0.1) == ("a", "b")


def test_parts_of_different_frames_are_never_joined_however_close_their_times():
    join = ExactJoin(["x", "y"])
    join.add("x", SyncKey("a", 1, 1000), "a", 0.0)
    assert join.add("y", SyncKey("a", 1, 1001), "b", 0.0) is None
    assert join.add("y", SyncKey("b", 1, 1000), "b", 0.0) is None


def test_a_frame_that_waits_too_long_is_dropped_whole():
    join = ExactJoin(["x", "y"], timeout_s=0.5)
    join.add("x", key(1), "a", 0.0)
    assert join.add("y", key(1), "b", 0.6) is None
    assert join.dropped == 1


def test_a_complete_frame_gives_up_the_older_ones():
    join = ExactJoin(["x", "y"])
    join.add("x", key(1), "a1", 0.0)
    join.add("x", key(2), "a2", 0.0)
    assert join.add("y", key(2), "b2", 0.0) == ("a2", "b2")
    assert join.add("y", key(1), "b1", 0.0) is None
    assert (join.dropped, join.late) == (1, 1)


def test_the_number_of_waiting_frames_is_bounded():
    join = ExactJoin(["x", "y"], depth=4)
    for frame in range(1, 101):
        join.add("x", key(frame), frame, 0.0)
    assert len(join) == 4
    assert join.dropped == 96


def test_a_camera_that_started_anew_is_followed_although_it_counts_from_one_again():
    join = ExactJoin(["x", "y"])
    join.add("x", key(50), "a", 0.0)
    assert join.add("y", key(50), "b", 0.0)
    join.add("x", key(1, stamp=10**12), "a", 1.0)
    assert join.add("y", key(1, stamp=10**12), "b", 1.0) == ("a", "b")


def test_a_camera_that_started_anew_is_followed_although_its_clock_was_set_back_by_hours():
    join = ExactJoin(["x", "y"])
    noon = 12 * 3600 * 10**9
    join.add("x", SyncKey("a", 500, noon), "x", 0.0)
    assert join.add("y", SyncKey("a", 500, noon), "y", 0.0) == ("x", "y")
    assert join.add("x", SyncKey("a", 499, noon - 10**8), "late", 0.0) is None
    assert join.late == 1
    for frame in (1, 2):
        again = SyncKey("a", frame, noon // 2 + frame)
        assert join.add("x", again, "x", 0.0) is None
        assert join.add("y", again, "y", 0.0) == ("x", "y")
    assert join.late == 1
