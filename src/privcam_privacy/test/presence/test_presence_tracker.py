"""Presences: what moved in stays until it is seen to leave."""

from dataclasses import replace

import numpy as np
import pytest
from presence_scene import BOX, DOOR, STEP, Scene, region, track


def test_a_lost_track_stays_a_presence_and_is_withheld_soon():
    scene = Scene(confirmed=True)
    scene.see([track()], 1.0)
    assert scene.blocked().all() and not scene.withheld().any()
    scene.see([], STEP, foreground=BOX)
    assert scene.blocked().all() and not scene.withheld().any()
    scene.see([], 3.5, foreground=BOX)
    assert scene.withheld().all()


def unseen_people(scene):
    return sum(one.is_unseen_person for one in scene.tracker.presences)


def test_whoever_was_followed_and_is_lost_in_the_middle_is_unseen_after_three_seconds_and_for_ever():
    scene = Scene(confirmed=True)
    scene.see([track()], 1.0)
    assert unseen_people(scene) == 0
    scene.see([], 2.5, foreground=BOX)
    assert unseen_people(scene) == 0
    scene.see([], 1.0, foreground=BOX)
    assert unseen_people(scene) == 1
    scene.see([], 120.0, foreground=BOX)
    assert unseen_people(scene) == 1


def test_whoever_is_found_again_is_not_unseen():
    scene = Scene(confirmed=True)
    scene.see([track()], 1.0)
    scene.see([], 10.0, foreground=BOX)
    scene.see([track(subject_id=2)], 1.0)
    assert unseen_people(scene) == 0


def test_whoever_goes_out_over_the_border_is_not_unseen():
    scene = Scene(confirmed=True)
    for x in range(40, 130, 4):
        scene.see([track(box=(float(x), 30.0, x + 20.0, 70.0))], 2 * STEP)
    scene.see([], 20.0)
    assert unseen_people(scene) == 0


def test_object_that_nobody_followed_is_no_unseen_person():
    scene = Scene(confirmed=True)
    scene.see([], 1.0, moved=BOX)
    scene.see([], 20.0, foreground=BOX)
    assert unseen_people(scene) == 0


def test_a_person_who_lies_still_and_is_no_longer_detected_stays_a_presence():
    scene = Scene(confirmed=False)
    scene.see([track()], 1.0)
    scene.see([], 120.0)
    assert scene.withheld().all()
    assert not scene.plate.known[region(BOX) > 0].any()


def test_confirmed_background_that_is_seen_again_is_freed():
    scene = Scene(confirmed=True)
    scene.see([track()], 1.0)
    scene.see([], 0.8)
    assert scene.blocked().all()
    scene.see([], 0.6)
    assert not scene.tracker.blocked.any()


def test_a_fall_out_of_the_last_box_takes_the_presence_along():
    fallen = (60.0, 60.0, 100.0, 76.0)
    for confirmed in (True, False):
        scene = Scene(confirmed=confirmed)
        scene.see([track()], 1.0)
        for k in range(6):
            x = 44 + 4.0 * k
            scene.see([], STEP, moved=(x, 40.0 + 4 * k, x + 24, 76.0))
        scene.see([], 0.3, moved=fallen)
        scene.see([], 60.0, foreground=fallen if confirmed else None)
        assert scene.blocked(fallen).all()


def test_a_fall_towards_the_lower_border_is_no_exit():
    scene = Scene(confirmed=False)
    for k in range(12):
        scene.see([track(box=(50.0, 26.0 + 4 * k, 74.0, 96.0))], STEP)
    scene.see([], 60.0)
    assert scene.blocked((50.0, 70.0, 74.0, 96.0)).all()


def test_a_person_who_walks_out_at_the_side_is_gone():
    scene = Scene(confirmed=False)
    for k in range(27):
        scene.see([track(box=(2.0 * k + 70, 20.0, min(128.0, 2.0 * k + 94), 80.0))], STEP)
    scene.see([], 4.0)
    assert not scene.tracker.blocked.any()


def walk_into_the_door(scene):
    for k in range(10):
        scene.see([track(box=(2.0 * k + 40, 30.0, 2.0 * k + 56, 70.0))], STEP)


def test_a_person_who_was_last_seen_in_a_door_is_gone_and_without_a_zone_still_there():
    in_door = (58.0, 30.0, 74.0, 70.0)
    for door_zones, stays in ((DOOR, False), ((), True)):
        scene = Scene(confirmed=False, door_zones=door_zones)
        walk_into_the_door(scene)
        scene.see([], 4.0)
        assert scene.tracker.blocked.any() is np.bool_(stays)
        # Longer evidence is needed than elsewhere.
        assert not scene.plate.confirmed[region(in_door) > 0].any()
        scene.see([], 6.0)
        assert scene.plate.confirmed[region(in_door) > 0].all() is np.bool_(not stays)


def test_a_person_who_collapses_in_a_door_is_still_there():
    scene, fallen = Scene(confirmed=False, door_zones=DOOR), (56.0, 50.0, 80.0, 70.0)
    walk_into_the_door(scene)
    for k in range(5):
        scene.see([], STEP, moved=(58.0, 30.0 + 4 * k, 76.0, 70.0))
    scene.see([], 0.3, moved=fallen)
    scene.see([], 60.0)
    assert scene.blocked(fallen).all()


def test_a_person_without_a_track_who_walks_in_is_blocked_where_they_stop():
    scene = Scene(confirmed=True)
    for k in range(20):
        scene.see([], STEP, moved=(2.0 * k, 30.0, 2.0 * k + 16, 80.0))
    stopped = (38.0, 30.0, 54.0, 80.0)
    scene.see([], 60.0, foreground=stopped)
    assert scene.blocked(stopped).all() and scene.withheld(stopped).all()


def test_a_subject_that_is_found_elsewhere_is_no_proof_that_the_old_place_is_empty():
    scene = Scene(confirmed=False)
    scene.see([track()], 1.0)
    scene.see([], 5.0)
    scene.see([track(box=(90.0, 30.0, 110.0, 70.0))], 20.0)
    assert scene.blocked().all()


def test_a_track_that_goes_on_with_weak_boxes_of_furniture_does_not_free_the_person_on_the_floor():
    fallen, chair = (30.0, 60.0, 70.0, 76.0), (66.0, 40.0, 90.0, 72.0)
    scene = Scene(confirmed=False)
    scene.see([track()], 1.0)
    scene.see([track(box=fallen)], 1.0)
    scene.see([track(box=chair, score=0.13)], 30.0)
    assert scene.blocked(fallen).all() and scene.blocked(chair).all()
    assert not scene.plate.known[region(fallen) > 0].any()


def test_a_track_that_jumps_away_from_one_frame_to_the_next_frees_nobody():
    """Two tracks that change places, or a good box on furniture."""
    scene = Scene(confirmed=False)
    scene.see([track()], 1.0)
    scene.see([track(box=(90.0, 30.0, 110.0, 70.0))], 20.0)
    assert scene.blocked().all()


def test_a_visitor_who_starts_at_somebody_who_was_not_found_for_long_does_not_take_them_along():
    scene = Scene(confirmed=False)
    scene.see([track()], 1.0)
    scene.see([], 5.0)
    for k in range(16):
        scene.see([track(subject_id=2, box=(40.0 + 3 * k, 30.0, 60.0 + 3 * k, 70.0))], STEP)
    scene.see([track(subject_id=2, box=(88.0, 30.0, 108.0, 70.0))], 30.0)
    assert scene.blocked().all()


def test_what_moves_out_from_the_place_of_somebody_who_was_not_found_for_long_leaves_them_there():
    scene = Scene(confirmed=False)
    scene.see([track()], 1.0)
    scene.see([], 5.0)
    for k in range(22):
        x = 50.0 + 4 * k
        scene.see([], STEP, moved=(x, 50.0, min(x + 18, 128.0), 68.0))
    scene.see([], 30.0)
    assert scene.blocked((40.0, 30.0, 50.0, 70.0)).all()


@pytest.mark.parametrize("lost_s", [0.0, 5.0])
def test_a_subject_that_walks_on_frees_the_place_behind_it_and_if_it_was_lost_longer_evidence_is_needed(lost_s):
    scene = Scene(confirmed=False)
    scene.see([track()], 1.0)
    if lost_s:
        scene.see([], lost_s)
    for k in range(16):
        scene.see([track(box=(40.0 + 3 * k, 30.0, 60.0 + 3 * k, 70.0))], STEP)
    scene.see([track(box=(88.0, 30.0, 108.0, 70.0))], 2.0)
    assert not scene.blocked((40.0, 30.0, 54.0, 70.0)).any()
    assert scene.plate.changed[region((40.0, 30.0, 54.0, 70.0)) > 0].all() == bool(lost_s)


def test_an_object_that_appears_is_withheld_at_once_and_does_not_block_for_ever():
    scene = Scene(confirmed=True)
    scene.see([], 1.0, foreground=BOX)
    assert scene.withheld().all() and not scene.blocked().any()


def test_an_object_that_moves_again_and_again_moves_by_itself():
    scene = Scene(confirmed=False)
    for _ in range(3):
        scene.see([], 0.5, moved=BOX)
        scene.see([], 1.5)
    scene.see([], 0.5, moved=BOX)
    assert scene.blocked().all()


def test_most_of_the_picture_at_once_is_light_and_no_body():
    scene = Scene(confirmed=True)
    scene.see([], 0.5, foreground=(0.0, 0.0, 128.0, 80.0))
    assert not scene.tracker.presences


def test_a_body_that_comes_close_and_fills_the_picture_is_a_body():
    scene = Scene(confirmed=True)
    for k in range(30):
        scene.see([], STEP, moved=(0.0, 0.0, 4.0 * k + 4, 96.0))
    assert scene.tracker.blocked.mean() > 200


def test_a_tracker_that_restarts_gives_old_numbers_to_others_and_frees_nothing():
    scene = Scene(confirmed=False)
    scene.see([replace(track(), age=50)], 1.0)
    scene.see([], 5.0)
    scene.see([replace(track(box=(90.0, 30.0, 110.0, 70.0)), age=1)], 10.0)
    assert scene.blocked().all()


@pytest.mark.parametrize("confirmed", [True, False])
def test_what_is_added_by_hand_is_withheld_at_once(confirmed):
    scene = Scene(confirmed=confirmed)
    scene.tracker.add(region(BOX))
    assert scene.withheld().all()
