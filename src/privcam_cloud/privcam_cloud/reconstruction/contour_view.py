"""The picture that a person at a screen sees: room, contours, captions, status bar."""

from collections.abc import Sequence

from privcam_cloud.reconstruction.caption_layout import Caption, Status, draw_captions, with_status
from privcam_core.drawing.contour import draw_contours, render_room
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import SubjectPose


class ContourView:
    """Draws the pictures of one camera. scale: size of the picture against the environment."""

    def __init__(self, *, scale: float = 1.0) -> None:
        if not scale > 0:
            raise ValueError(f"scale: {scale} is not more than 0")
        self._scale = scale
        self._room: Image | None = None

    @property
    def ready(self) -> bool:
        """Whether an environment has come."""
        return self._room is not None

    def set_environment(self, environment: Image, validity: BoolArray) -> None:
        """Take a new environment, (H, W, 3) uint8 BGR, and its validity plane, (H, W) bool.

        Raises ValueError for a wrong shape or type; the environment before then still holds.
        """
        self._room = render_room(environment, validity, self._scale)

    def render(self, poses: Sequence[SubjectPose], captions: Sequence[Caption], status: Status) -> Image:
        """Return the picture of one moment, uint8 BGR: `scale` times the environment, with the status bar below.

        Raises RuntimeError while no environment has come: a room must not be invented.
        """
        if self._room is None:
            raise RuntimeError("no environment yet: call set_environment() before render()")
        picture = with_status(self._room, status)
        room = picture[: len(self._room)]
        draw_contours(room, poses, self._scale)
        draw_captions(room, captions, poses, self._scale)
        return picture
