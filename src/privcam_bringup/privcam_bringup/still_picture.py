"""Makes the still picture of a run: the environment without people, beside the contour."""

from bisect import bisect_right
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from privcam_bringup.graph_observer import FrameSummary, Observations
from privcam_core.images.environment import decode_environment
from privcam_core.types.arrays import Image
from privcam_sources.errors import SourceEnded, SourceError, SourceTorn
from privcam_sources.source_spec import Spec
from privcam_sources.video_source import open_source

GAP_PX = 12
HEADING_PX = 34
INK = (70, 60, 50)
PAPER = (255, 255, 255)
# A contour picture shows the people of a frame that is at most this old, s.
_MAX_AGE_S = 0.3


class Album:
    """Keeps one contour picture a second of camera time, to choose from later."""

    def __init__(self, every_s: float = 1.0) -> None:
        self._every_s = every_s
        self.pictures: list[tuple[float, Image]] = []

    def offer(self, shown_s: float, picture: Image) -> None:
        """Take the picture of the moment `shown_s` (camera time) if it is time for one."""
        if not self.pictures or shown_s - self.pictures[-1][0] >= self._every_s:
            self.pictures.append((shown_s, picture))

    def best(self, seen: Observations) -> tuple[FrameSummary, Image]:
        """Return the picture in which people are most visible, with the summary of its frame.

        Raises LookupError if no picture was taken.
        """
        if not self.pictures:
            raise LookupError("no contour picture came")
        candidates = [(frame_at(seen, moment), moment, picture) for moment, picture in self.pictures]
        # After a pause of Ω the cloud draws nobody any more, whatever the last frame held.
        current = [one for one in candidates if one[1] - one[0].stamp_s <= _MAX_AGE_S] or candidates
        frame, _, picture = max(current, key=lambda one: one[0].readable)
        return frame, picture


def frame_at(seen: Observations, moment_s: float) -> FrameSummary:
    """Return the frame that holds at a moment of camera time."""
    index = bisect_right([frame.stamp_s for frame in seen.frames], moment_s) - 1
    return seen.frames[max(index, 0)]


def environment_at(seen: Observations, frame_id: int) -> Image:
    """Return the environment picture that holds at a frame, with what is not confirmed in flat grey."""
    earlier = [png for known, png in seen.environments if known <= frame_id]
    plate, _ = decode_environment((earlier or [seen.environments[0][1]])[-1])
    return plate


def raw_frame(source: Path, frame_id: int) -> Image:
    """Return the raw frame of a video file that became frame `frame_id`. Raises LookupError."""
    try:
        with closing(open_source(Spec("file", str(source)))) as video:
            for _ in range(frame_id - 1):
                video.skip()
            return video.read().image
    except (SourceError, SourceEnded, SourceTorn) as error:
        raise LookupError(f"{source}: frame {frame_id} cannot be read again") from error


def side_by_side(left: Image, left_title: str, right: Image, right_title: str) -> Image:
    """Return two pictures of the same height beside each other, with headings."""
    scale = left.shape[0] / right.shape[0]
    right = right if scale == 1 else cv2.resize(right, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height = left.shape[0]
    sheet = np.full((height + HEADING_PX, left.shape[1] + GAP_PX + right.shape[1], 3), PAPER, np.uint8)
    for x, picture, title in ((0, left, left_title), (left.shape[1] + GAP_PX, right, right_title)):
        sheet[HEADING_PX : HEADING_PX + height, x : x + picture.shape[1]] = picture[:height]
        cv2.putText(sheet, title, (x + 2, HEADING_PX - 11), cv2.FONT_HERSHEY_SIMPLEX, 0.6, INK, 1, cv2.LINE_AA)
    return sheet
