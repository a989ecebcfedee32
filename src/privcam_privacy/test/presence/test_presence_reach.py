"""Around what moves of somebody whom nothing finds no background is confirmed by waiting."""

from presence_scene import STEP, Scene, region, track

TORSO, LEGS, FAR = (16.0, 40.0, 40.0, 56.0), (42.0, 44.0, 58.0, 52.0), (108.0, 8.0, 124.0, 24.0)


def stir(scene):
    for _ in range(3):
        scene.see([], 0.3, moved=TORSO)
        scene.see([], 1.2)


def test_beside_what_moves_of_somebody_whom_nothing_finds_waiting_confirms_nothing():
    scene = Scene(confirmed=False)
    stir(scene)
    scene.see([], 20.0)
    assert scene.blocked(TORSO).all()
    assert not scene.plate.confirmed[region(LEGS) > 0].any()
    assert scene.plate.confirmed[region(FAR) > 0].all()


def test_good_box_says_more_of_a_body_than_what_moved_of_it():
    scene = Scene(confirmed=False)
    stir(scene)
    assert scene.tracker.reach[region(LEGS) > 0].all()
    scene.see([track(box=TORSO)], STEP)
    alone = Scene(confirmed=False)
    alone.see([track(box=TORSO)], STEP)
    assert (scene.tracker.reach == alone.tracker.reach).all()


def test_whoever_walks_on_without_a_box_leaves_no_reach_behind():
    scene = Scene(confirmed=False)
    for left in range(0, 100, 5):
        scene.see([], 0.2, moved=(left, 30.0, left + 12.0, 60.0))
    assert not scene.tracker.reach.any()
