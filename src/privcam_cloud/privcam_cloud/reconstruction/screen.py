"""Selects the picture for the screen: generated people while there is a valid picture of them, else the contour."""

from dataclasses import dataclass

import cv2
import numpy as np

from privcam_cloud.reconstruction.caption_layout import Status, draw_captions, with_status
from privcam_cloud.reconstruction.generative.generative_backend import GenerativeBackend, Picture, Reason
from privcam_cloud.reconstruction.playout_buffer import PlayoutBuffer, make_captions
from privcam_cloud.reconstruction.reconstruction_input import ReconstructionInput
from privcam_core.drawing.contour import hatch
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_core.types.time import NS_PER_S


@dataclass(frozen=True, eq=False)
class Shown:
    """One picture for the screen. key: the newest Ω that went into it. moment_ns: camera time of what it shows.

    image: (H', W', 3) uint8 BGR with captions and status bar. fallback: why it is the contour, None where that was
    chosen or there are generated people.
    """

    key: SyncKey
    moment_ns: int
    image: Image
    backend: str
    fallback: Reason | None = None


class Screen:
    """Draws one camera. scale: size of the picture against the environment. generative: None for the contour alone."""

    def __init__(self, *, scale: float = 1.0, generative: GenerativeBackend | None = None) -> None:
        self.playout = PlayoutBuffer(scale=scale)
        self._scale = scale
        self._generative = generative
        self._drawn: tuple[Picture, Image] | None = None

    def picture(self, now_s: float) -> Shown | None:
        """Return the picture for the screen at `now_s` (monotonic seconds); None before the first environment."""
        fallback = None
        if self._generative is not None:
            scene = self.playout.reconstruction_input()
            if scene is not None:
                self._generative.offer(scene)
            found = self._generative.picture(scene) if scene is not None else Reason.NO_ROOM
            if scene is not None and isinstance(found, Picture):
                return Shown(found.scene.key, found.scene.key.stamp_ns, self._draw(found, scene), "generative")
            fallback = found if isinstance(found, Reason) else None
        contour = self.playout.draw(now_s)
        if contour is None or self.playout.newest is None:
            return None
        return Shown(self.playout.newest.key, *contour, "contour", fallback)

    def _draw(self, picture: Picture, now: ReconstructionInput) -> Image:
        """Return the generated picture with what is recognised now, and how old it is."""
        made = picture.scene
        if self._drawn is None or self._drawn[0] is not picture:
            self._drawn = picture, _render_generated(picture, self._scale)
        age_s = (now.key.stamp_ns - made.key.stamp_ns) / NS_PER_S
        note = ", ".join(filter(None, (f"generated {age_s:.0f} s ago", self.playout.notes)))
        confirmed_mask = float(made.confirmed_mask.mean())
        status = Status(
            made.key.camera_id,
            made.key.stamp_ns,
            confirmed_mask,
            note,
            self.playout.sight_alarm,
            self.playout.is_replay,
        )
        image = with_status(self._drawn[1], status)
        draw_captions(image[: len(self._drawn[1])], make_captions(now.events), made.poses, self._scale)
        return image


def _render_generated(picture: Picture, scale: float) -> Image:
    """Return Î at that scale, hatched where the room is not known and nobody was painted."""
    room = hatch(picture.image, picture.scene.confirmed_mask | picture.painted, scale)
    height, width = room.shape[:2]
    image = cv2.resize(picture.image, (width, height), interpolation=cv2.INTER_LINEAR)
    painted = cv2.resize(picture.painted.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    # The hatching's border is rounded and reaches over its edge: not over people.
    cv2.copyTo(image, painted, room)
    return room
