"""How far somebody goes on of whom only parts are seen to move: an arm here, a foot there, and no box of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from privcam_core.types.arrays import Box
from privcam_privacy.presence.extent import around, length, widen


@dataclass(frozen=True)
class Part:
    """Where something moved that has no box, px. stirs: by itself, now or again and again."""

    box: Box
    stirs: bool


def reaches_of(parts: Sequence[Part]) -> list[Box]:
    """Return where bodies may be that these are parts of, px: as far again as all parts of each reach together.

    A body begins with a part that stirs. What lies within its reach is a part of it too, although it moved once only:
    the leg of somebody whose arm moves. A thing that was moved, and nothing stirs beside it, is no part of anybody.
    """
    bodies = [part.box for part in parts if part.stirs]
    left = [part.box for part in parts if not part.stirs]
    grown = True
    while grown:
        grown = False
        for body in bodies:
            reach = _reach(body)
            if near := next((box for box in (*bodies, *left) if box is not body and _meets(reach, box)), None):
                bodies = [one for one in bodies if one is not body and one is not near]
                left = [one for one in left if one is not near]
                bodies.insert(0, around((body, near)))  # it is tried first: most that is near joins it
                grown = True
                break
    return [_reach(body) for body in bodies]


def _reach(box: Box) -> Box:
    return widen(box, length(box))


def _meets(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
