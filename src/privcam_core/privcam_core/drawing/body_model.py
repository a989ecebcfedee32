"""The parts of a drawn body: convex solids, ordered from far to near."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from privcam_core.drawing.geometry import Ellipse, Hull, outlines
from privcam_core.types.arrays import Box
from privcam_core.types.skeleton import Joint


class Kind(Enum):
    """The part of the body that a solid represents."""

    LEG = 0
    ARM = 1
    TRUNK = 2
    NECK = 3
    NOSE = 4  # of a head turned aside
    HEAD = 5
    FACE = 6  # the front of the head
    MARKER = 7  # a subject without a visible posture


@dataclass(frozen=True)
class Part:
    """One solid of a body. depth: -1 on the side away from the camera, 0 in the middle, 1 on the near side.

    limb: where an arm or a leg starts, the same for all of its solids; None for what is no limb.
    """

    kind: Kind
    shape: Hull | Ellipse
    depth: int = 0
    limb: Joint | None = None


@dataclass(frozen=True)
class Body:
    """The solids of one subject from far to near, and the stature in px that sets their widths."""

    parts: tuple[Part, ...]
    stature: float

    def bounds(self, grow: float = 0.0) -> Box:
        """Return the box around all solids grown by `grow` px, x0, y0, x1, y1 in px."""
        points = np.concatenate(outlines([part.shape for part in self.parts], grow))
        x0, y0 = points.min(axis=0).tolist()
        x1, y1 = points.max(axis=0).tolist()
        return x0, y0, x1, y1

    def scaled(self, scale: float) -> "Body":
        """Return the body in a picture with `scale` times finer pixels."""
        if scale == 1.0:
            return self
        parts = (Part(part.kind, part.shape.scaled(scale), part.depth, part.limb) for part in self.parts)
        return Body(tuple(parts), self.stature * scale)

    @property
    def is_marker(self) -> bool:
        """Whether too little was seen for a figure."""
        return self.parts[0].kind is Kind.MARKER
