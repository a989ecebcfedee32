"""Parts that move beside each other are one body, and it goes on as far again as all of them reach."""

from privcam_privacy.presence.body_parts import Part, reaches_of

HAND, HIP, FOOT = (200.0, 100.0, 240.0, 120.0), (160.0, 100.0, 180.0, 120.0), (70.0, 100.0, 90.0, 120.0)


def test_one_part_reaches_as_far_again_as_it_is_long():
    assert reaches_of([Part(HAND, stirs=True)]) == [(160.0, 60.0, 280.0, 160.0)]


def test_part_within_reach_of_another_is_of_the_same_body_although_it_moved_once():
    parts = [Part(HIP, stirs=False), Part(HAND, stirs=True), Part(FOOT, stirs=False)]
    # From hip to hand it is 80 px long, so that the foot belongs to it; then it is 170 px long.
    assert reaches_of(parts) == [(-100.0, -70.0, 410.0, 290.0)]


def test_parts_out_of_reach_are_two_bodies():
    assert reaches_of([Part(HAND, stirs=True), Part(FOOT, stirs=True)]) == [
        (160.0, 60.0, 280.0, 160.0),
        (50.0, 80.0, 110.0, 140.0),
    ]


def test_thing_that_was_moved_where_nobody_stirs_is_no_part():
    assert reaches_of([Part(HIP, stirs=False), Part(FOOT, stirs=False)]) == []
    assert reaches_of([]) == []
