"""How tall the standard body is at each place in the picture: by perspective, the same for everybody.

A camera at height c above a flat floor sees whoever stands with the feet in row v as tall as (v - horizon) · h / c
pixels, where h is the stature. With one h for everybody, the size is a function of the place alone, and no number of
poses tells the stature of a person.

The plane is set by whoever mounts the camera and is never learnt from poses: a plane that is fitted to the people of a
room is the stature of its resident, and in a room with one resident nobody else averages it out.
"""

from dataclasses import dataclass

# A body is never smaller than this fraction of the picture's height. At the horizon and above it the plane has no size.
_MIN_STATURE = 0.04
# Nor larger: then hardly more than a hand would fit into the picture.
_MAX_STATURE = 4.0
# The feet of somebody seen in part are assumed to be no more than this many times as far below the horizon as the
# lowest keypoint.
_MAX_EXTENSION = 4.0


@dataclass(frozen=True)
class GroundPlane:
    """The floor as the camera sees it, in fractions of the picture's height.

    horizon: row in which the floor would end if it had no end; may lie outside of the picture. stature: height of an
    adult who stands with the feet at the lower border, whether or not the head would be in the picture. The defaults
    are of a camera 2.5 m above the floor with its horizon a tenth below the upper border, and an adult of 1.7 m.
    """

    horizon: float = 0.1
    stature: float = 0.61

    def __post_init__(self) -> None:
        if not -5.0 <= self.horizon <= 0.9:
            raise ValueError(
                f"ground_horizon: {self.horizon} is not in [-5, 0.9]; give the row of the horizon as a fraction of the "
                "picture's height, 0 at the upper border"
            )
        if not 0.02 <= self.stature <= 10.0:
            raise ValueError(
                f"ground_stature: {self.stature} is not in [0.02, 10]; give the height of an adult who stands at the "
                "lower border as a fraction of the picture's height"
            )

    def stature_at(self, row: float, hidden: float) -> float:
        """Return the stature of the standard body, as a fraction of the picture's height.

        row: of its lowest visible point, as a fraction of the picture's height. hidden: how far the body reaches below
        that point, in statures of the standard body.
        """
        slope = self.stature / (1.0 - self.horizon)
        # The feet are at row + hidden · stature, so stature = slope · (row - horizon) / (1 - slope · hidden).
        extension = 1.0 / max(1.0 - slope * hidden, 1.0 / _MAX_EXTENSION)
        return min(max(slope * (row - self.horizon) * extension, _MIN_STATURE), _MAX_STATURE)
