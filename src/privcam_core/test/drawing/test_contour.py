import cv2
import numpy as np
import pytest

from privcam_core.drawing.contour import NOT_SHOWN, draw_contours, render_contour, render_environment
from privcam_core.types.omega import SubjectPose

HALF = ((0.018, -0.935), (0.042, -0.925), (0.115, -0.81), (0.15, -0.63), (0.16, -0.48), (0.06, -0.52), (0.065, -0.28),
        (0.07, -0.04))  # fmt: skip
STANDING = np.array([(0, -0.92), *[(sign * u, v) for u, v in HALF for sign in (1, -1)]])
GREY = np.full((280, 320, 3), 140, np.uint8)
ALL = np.ones((280, 320), bool)


def standing(subject_id=1, u=160, layer=0, rho=0.9):
    keypoints = np.full((17, 3), rho, np.float32)
    keypoints[:, :2] = STANDING * 240 + (u, 265)
    return SubjectPose(subject_id, (u - 50.0, 20.0, u + 50.0, 270.0), keypoints, None, layer)


def drawn(poses, room=None):
    """Return the mask of the pixels that the poses change."""
    room = render_environment(GREY, ALL) if room is None else room
    picture = room.copy()
    draw_contours(picture, poses)
    return np.any(picture != room, axis=2)


def test_body_is_filled_and_has_one_closed_bright_outline():
    picture = render_contour(GREY, ALL, [standing()])
    ground = render_environment(GREY, ALL)
    bright = (picture.astype(int) - ground).max(axis=2) > 60
    # Water poured in from the corner does not get through a closed outline.
    flood = bright.astype(np.uint8)
    cv2.floodFill(flood, None, (0, 0), 2)
    assert flood[140, 160] == 0
    assert (picture[140, 160] != ground[140, 160]).any()


def test_inside_of_the_body_the_environment_shines_through():
    room = GREY.copy()
    room[:, 160:] = 220
    picture = render_contour(room, ALL, [standing()]).astype(int)
    assert picture[120, 166].sum() - picture[120, 154].sum() > 30


def test_subject_in_front_hides_the_one_behind_with_a_gap_around_it():
    front, back = standing(1, 150, layer=1), standing(2, 178, layer=0)
    room = render_environment(GREY, ALL)
    both, alone, behind = room.copy(), room.copy(), room.copy()
    draw_contours(both, [back, front])
    draw_contours(alone, [front])
    draw_contours(behind, [back])
    body = drawn([front])
    strong = (np.abs(alone.astype(int) - room).max(axis=2) > 25) & body
    assert (both[strong] == alone[strong]).all()
    rows = both[100:150, 150:230].astype(int)
    gap = np.abs(rows - room[100:150, 150:230]).max(axis=2) < np.abs(
        behind[100:150, 150:230].astype(int) - room[100:150, 150:230]
    ).max(axis=2)
    assert gap.any(axis=1).all()


def test_swapped_layers_swap_who_is_hidden():
    first = render_contour(GREY, ALL, [standing(1, 150, layer=1), standing(2, 170, layer=0)])
    second = render_contour(GREY, ALL, [standing(1, 150, layer=0), standing(2, 170, layer=1)])
    only_one, only_two = (render_contour(GREY, ALL, [standing(i, u)]) for i, u in ((1, 150), (2, 170)))
    assert (first[110, 155:165] == only_one[110, 155:165]).all()
    assert (second[110, 155:165] == only_two[110, 155:165]).all()
    assert (first[110, 155:165] != second[110, 155:165]).any()


def test_what_is_not_confirmed_is_a_flat_surface_whatever_the_environment_holds_there():
    confirmed = ALL.copy()
    confirmed[100:200, 50:150] = False
    noisy = GREY.copy()
    noisy[100:200, 50:150] = np.random.default_rng(0).integers(0, 256, (100, 100, 3))
    assert (render_environment(noisy, confirmed) == render_environment(GREY, confirmed)).all()
    inside = render_environment(noisy, confirmed)[105:195, 55:145].reshape(-1, 3)
    assert (inside == NOT_SHOWN).all(axis=1).mean() > 0.6
    assert len(np.unique(inside, axis=0)) > 1


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
def test_no_colour_of_an_unconfirmed_pixel_gets_into_a_picture_of_any_size(scale):
    confirmed = np.random.default_rng(1).random((280, 320)) > 0.002
    black, white = GREY.copy(), GREY.copy()
    black[~confirmed], white[~confirmed] = 0, 255
    assert (render_environment(black, confirmed, scale) == render_environment(white, confirmed, scale)).all()


def test_confirmed_room_far_from_the_hatching_is_shown():
    confirmed = ALL.copy()
    confirmed[:, :100] = False
    assert (render_environment(GREY, confirmed)[:, 130:] == render_environment(GREY, ALL)[:, 130:]).all()


def test_inputs_are_not_changed_and_the_result_depends_on_them_alone():
    environment, confirmed = GREY.copy(), ALL.copy()
    confirmed[:50] = False
    kept = environment.copy(), confirmed.copy()
    first = render_contour(environment, confirmed, [standing()])
    assert (environment == kept[0]).all()
    assert (confirmed == kept[1]).all()
    assert (render_contour(environment, confirmed, [standing()]) == first).all()


def test_pixels_away_from_the_subject_are_those_of_the_empty_room():
    mask = drawn([standing(u=100)])
    columns = np.flatnonzero(mask.any(axis=0))
    assert columns.min() > 100 - 0.3 * 240
    assert columns.max() < 100 + 0.3 * 240


def test_subject_of_whom_nothing_is_seen_is_still_visible():
    assert drawn([standing(rho=0.0)]).sum() > 1000


def test_subject_outside_of_the_picture_changes_nothing():
    assert not drawn([standing(u=2000)]).any()


def test_subjects_of_a_few_pixels_and_of_many_pictures_are_drawn_without_error():
    for size in (1.0, 5.0, 20_000.0):
        keypoints = np.full((17, 3), 0.9, np.float32)
        keypoints[:, :2] = STANDING * size + (160, 140)
        draw_contours(
            GREY.copy(), [SubjectPose(1, (160 - size / 4, 140 - size, 160 + size / 4, 140.0), keypoints)], 2.0
        )


def test_scale_makes_a_larger_picture_of_the_same_scene():
    small, large = (render_contour(GREY, ALL, [standing()], scale) for scale in (1.0, 2.0))
    assert large.shape == (560, 640, 3)
    shrunk = cv2.resize(large, (320, 280), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - small).mean() < 3


def test_wrong_confirmed_mask_and_scale_are_named():
    with pytest.raises(ValueError, match="confirmed"):
        render_contour(GREY, ALL[:10], [])
    with pytest.raises(ValueError, match="scale"):
        render_contour(GREY, ALL, [], 0.0)
