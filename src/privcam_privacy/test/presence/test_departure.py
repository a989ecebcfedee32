"""Which last boxes are exits, and which are falls towards a border."""

import pytest

from privcam_privacy.evidence.zones import parse_zones, zone_cells
from privcam_privacy.presence.departure import BodyExtent, has_departed, is_in_door

SHAPE = (240, 320)
# From (128, 48) to (192, 192) px.
DOOR = zone_cells(parse_zones("0.4,0.2 0.6,0.2 0.6,0.8 0.4,0.8", "door_zones"), SHAPE)


def extent(*boxes):
    body = BodyExtent()
    for box in boxes:
        body.update(tuple(map(float, box)))
    return body


@pytest.mark.parametrize(
    ("boxes", "gone"),
    [
        ([(250, 40, 310, 200), (300, 40, 320, 200)], True),  # walks out to the right: upright, a strip is left
        ([(10, 40, 70, 200), (0, 45, 22, 200)], True),  # and to the left
        ([(100, 60, 160, 220), (100, 215, 160, 240)], True),  # below the camera: only the head is left
        ([(120, 60, 190, 240), (80, 160, 230, 240)], False),  # falls at the lower border
        ([(250, 40, 310, 200), (240, 150, 320, 200)], False),  # falls to the right border
        ([(250, 40, 310, 200), (290, 150, 320, 200)], False),  # falls, and only the legs are in the picture
        ([(100, 40, 150, 200)], False),  # in the middle
        ([], False),
    ],
)
def test_only_a_strip_of_an_upright_body_leaves(boxes, gone):
    assert has_departed(extent(*boxes), SHAPE) is gone


@pytest.mark.parametrize(
    ("box", "gone"),
    [
        ((140, 60, 180, 180), True),  # walks through the door, away from the camera
        ((0, 0, 0, 0), False),  # was never seen
        ((180, 60, 191, 190), True),  # a strip is left behind the frame of the door
        ((130, 150, 190, 190), False),  # collapses in the door
        ((140, 110, 185, 190), False),  # sits down in the door
        ((60, 60, 120, 190), False),  # stands beside it
        ((150, 60, 210, 190), False),  # stands before it, partly beside it
    ],
)
def test_an_upright_body_leaves_through_a_door_that_it_is_in(box, gone):
    assert is_in_door(box, DOOR) is gone
    assert not is_in_door(box, zone_cells([], SHAPE))
