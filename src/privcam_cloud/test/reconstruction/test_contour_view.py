import numpy as np
import pytest

from privcam_cloud.reconstruction.caption_layout import Caption, Status
from privcam_cloud.reconstruction.contour_view import ContourView
from privcam_core.types.omega import SubjectPose

STATUS = Status("room1", 1_700_000_000_300_000_000, 0.9)
ROOM = np.full((240, 320, 3), 140, np.uint8)
ALL = np.ones((240, 320), bool)


def person(subject_id=1):
    return SubjectPose(subject_id, (120.0, 60.0, 180.0, 220.0), np.zeros((17, 3), np.float32))


def test_without_an_environment_no_room_is_invented():
    view = ContourView()
    assert not view.ready
    with pytest.raises(RuntimeError, match="set_environment"):
        view.render([], [], STATUS)


def test_picture_shows_room_subject_and_caption():
    view = ContourView()
    view.set_environment(ROOM, ALL)
    empty, peopled = view.render([], [], STATUS), view.render([person()], [], STATUS)
    captioned = view.render([person()], [Caption(1, "lying")], STATUS)
    assert (empty != peopled).any()
    assert (peopled != captioned).any()


def test_one_picture_leaves_no_trace_in_the_next():
    view = ContourView()
    view.set_environment(ROOM, ALL)
    before = view.render([], [], STATUS)
    view.render([person()], [Caption(1, "lying")], STATUS)
    assert (view.render([], [], STATUS) == before).all()


def test_new_environment_replaces_the_old_one_and_a_wrong_one_does_not():
    view = ContourView(scale=2.0)
    view.set_environment(ROOM, ALL)
    old = view.render([], [], STATUS)
    with pytest.raises(ValueError, match="confirmed"):
        view.set_environment(ROOM, ALL[1:])
    assert (view.render([], [], STATUS) == old).all()
    view.set_environment(ROOM + 50, ALL)
    assert (view.render([], [], STATUS) != old).any()
    assert old.shape[1] == 640


def test_scale_of_nothing_is_refused():
    with pytest.raises(ValueError, match="scale"):
        ContourView(scale=0.0)
