import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privcam_cloud.reconstruction.caption_layout import Caption, Status, draw_captions, place_captions, with_status
from privcam_core.drawing.contour import NOT_SHOWN
from privcam_core.drawing.palette import color
from privcam_core.types.omega import SubjectPose

HEIGHT, WIDTH = 480, 640
T0 = 1_700_000_000_300_000_000


def pose(subject_id, box, layer=0):
    return SubjectPose(subject_id, tuple(map(float, box)), np.zeros((17, 3), np.float32), None, layer)


def test_caption_stands_beside_its_subject_and_hides_nobody():
    poses = [pose(1, (100, 100, 180, 400)), pose(2, (400, 120, 480, 420), 1)]
    plates = place_captions([Caption(1, "walking"), Caption(2, "standing")], poses, HEIGHT, WIDTH)
    assert [p.subject_id for p in sorted(plates, key=lambda p: p.left)] == [1, 2]
    for plate, subject in zip(sorted(plates, key=lambda p: p.left), poses, strict=True):
        x0, y0, x1, _ = subject.box
        assert plate.top + plate.height <= y0
        assert x0 < plate.left + plate.width / 2 < x1


boxes = st.tuples(st.integers(-200, 800), st.integers(-200, 600), st.integers(1, 500), st.integers(1, 500))
texts = st.text(max_size=80)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(boxes, texts, st.booleans()), min_size=1, max_size=12), st.sampled_from([0.5, 1.0, 2.0]))
def test_plates_never_overlap_and_never_leave_the_picture(people, scale):
    poses = [pose(i, (x, y, x + w, y + h), i) for i, ((x, y, w, h), _, _) in enumerate(people, 1)]
    captions = [Caption(i, text, alarm) for i, (_, text, alarm) in enumerate(people, 1)]
    height, width = round(HEIGHT * scale), round(WIDTH * scale)
    plates = place_captions(captions, poses, height, width, scale)
    for i, plate in enumerate(plates):
        assert plate.left >= 0
        assert plate.top >= 0
        assert plate.left + plate.width <= width
        assert plate.top + plate.height <= height
        assert not any(plate.overlaps(other) for other in plates[i + 1 :])
    draw_captions(np.zeros((height, width, 3), np.uint8), captions, poses, scale)


def test_captions_of_one_subject_share_a_plate():
    plates = place_captions([Caption(1, "fall"), Caption(1, "lying")], [pose(1, (100, 100, 180, 400))], HEIGHT, WIDTH)
    assert [plate.lines for plate in plates] == [("fall", "lying")]


def test_caption_of_a_subject_that_is_not_in_the_picture_is_not_drawn():
    assert place_captions([Caption(9, "walking")], [pose(1, (100, 100, 180, 400))], HEIGHT, WIDTH) == []


def test_alarm_keeps_its_place_when_the_picture_is_too_small_for_all():
    poses = [pose(i, (10, 10, 50, 50), i) for i in range(1, 9)]
    captions = [Caption(i, "behaviour", alarm=i == 5) for i in range(1, 9)]
    plates = place_captions(captions, poses, 40, 120)
    assert 0 < len(plates) < 8
    assert 5 in {plate.subject_id for plate in plates}


def test_alarm_is_red_and_the_stripe_has_the_colour_of_the_subject():
    poses, picture = [pose(1, (100, 100, 180, 400))], np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    captions = [Caption(1, "fall", alarm=True)]
    (plate,) = place_captions(captions, poses, HEIGHT, WIDTH)
    draw_captions(picture, captions, poses)
    assert tuple(picture[plate.top + 2, plate.left + 1]) == color(1)
    blue, green, red = picture[plate.top + 2, plate.left + plate.width - 2].astype(int)
    assert red > 2 * max(blue, green)


def test_long_caption_is_cut_to_the_picture():
    (plate,) = place_captions([Caption(1, "w" * 300)], [pose(1, (100, 100, 180, 400))], HEIGHT, WIDTH)
    assert plate.width < WIDTH
    assert plate.lines[0].endswith("...")


def test_status_bar_lies_below_and_leaves_the_picture_as_it_is():
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    result = with_status(picture, Status("room1", T0, 0.9))
    assert result.shape[0] > HEIGHT
    assert (result[:HEIGHT] == picture).all()


@pytest.mark.parametrize(
    "other",
    [
        Status("room2", T0, 0.9),
        Status("room1", T0 + 10**9, 0.9),
        Status("room1", T0, 0.5),
        Status("room1", T0, 0.9, "late"),
        Status("room1", T0, 0.9, alarm="CANNOT SEE: too dark"),
    ],
)
def test_status_bar_shows_camera_time_share_and_note(other):
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert (with_status(picture, Status("room1", T0, 0.9)) != with_status(picture, other)).any()


def test_status_bar_explains_the_hatching():
    bar = with_status(np.zeros((HEIGHT, WIDTH, 3), np.uint8), Status("room1", T0, 0.9))[HEIGHT:]
    assert (bar == NOT_SHOWN).all(axis=2).sum() > 20


@pytest.mark.parametrize("width", [1, 40, 160])
def test_status_bar_of_a_narrow_picture_leaves_out_what_has_no_room(width):
    assert with_status(np.zeros((100, width, 3), np.uint8), Status("room1", T0, 0.9)).shape[1] == width


@pytest.mark.parametrize("width", [60, 640])
def test_alarm_in_the_status_bar_is_red_and_comes_first_in_any_width(width):
    picture = np.zeros((HEIGHT, width, 3), np.uint8)
    bar = with_status(picture, Status("room1", T0, 0.9, alarm="CANNOT SEE: too dark"))[HEIGHT:]
    blue, green, red = (int(value) for value in bar[1, 1])
    assert red > 150 > max(blue, green)
