"""Draws the contour view: environment, contours, captions, status bar."""

from collections.abc import Sequence

from privcam_cloud.reconstruction.caption_layout import Caption, Status, draw_captions, with_status
from privcam_core.drawing.contour import draw_contours, render_environment
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import SubjectPose


class ContourView:
    """Draws the pictures of one camera. scale: size of the picture against the environment."""

    def __init__(self, *, scale: float = 1.0) -> None:
        if not scale > 0:
            raise ValueError(f"scale: {scale} is not more than 0")
        self._scale = scale
        self._environment: Image | None = None

    @property
    def ready(self) -> bool:
        """Whether an environment has come."""
        return self._environment is not None

    def set_environment(self, environment: Image, confirmed_mask: BoolArray) -> None:
        """Take a new environment, (H, W, 3) uint8 BGR, and its confirmed pixels, (H, W) bool.

        Raises ValueError for a wrong shape or type; the environment before then still holds.
        """
        self._environment = render_environment(environment, confirmed_mask, self._scale)

    def render(self, poses: Sequence[SubjectPose], captions: Sequence[Caption], status: Status) -> Image:
        """Return the picture of one moment, uint8 BGR: `scale` times the environment, with the status bar below.

        Raises RuntimeError while no environment has come: an environment must not be invented.
        """
        if self._environment is None:
            raise RuntimeError("no environment yet: call set_environment() before render()")
        picture = with_status(self._environment, status)
        area = picture[: len(self._environment)]
        draw_contours(area, poses, self._scale)
        draw_captions(area, captions, poses, self._scale)
        return picture
