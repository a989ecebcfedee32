"""Which last boxes are exits, and which are falls towards a border."""

import pytest

from privcam_privacy.presence.departure import BodyExtent, has_departed

SHAPE = (240, 320)


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
