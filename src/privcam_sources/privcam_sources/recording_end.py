"""Judges whether a recording was read up to its end, or breaks off before."""

from datetime import timedelta
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

# These have an index, or were told their length when they were finished. Elsewhere it is estimated.
_EXACT_FORMATS = frozenset({"mp4", "matroska", "webm", "avi", "flv"})
# A length is rounded, and the last frame has none of its own in some containers: so many frames may seem to be missing.
_SLACK_FRAMES = 2
_ROUNDING_S = 0.02
# Of an estimated length less than this fraction is a recording that breaks off.
_ESTIMATED_FRACTION = 0.9


class RecordingEnd:
    """How long a recording is by its header, and how far it was read. Sound that goes on after the picture is no part.

    announced_s: length of the video, s; 0 where it is not known.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._stream = stream
        self._formats = frozenset(container.format.name.split(","))
        self._container_s = (container.duration or 0) / av.time_base
        self._start_s = (container.start_time or 0) / av.time_base
        self.announced_s = self._announce()
        # What was read, s: of the video by decoding times, which are in the order of the file, and when its first frame
        # is shown; of the rest its end.
        self._first_dts_s: float | None = None
        self._video_s, self._shown_from_s, self._others_end_s = 0.0, 0.0, 0.0

    def note(self, packet: "Packet[Any]") -> None:
        """Take note of a packet that was read, also of one that cannot be decoded."""
        base, time = packet.time_base, packet.pts if packet.dts is None else packet.dts
        if time is None or base is None:
            return
        end_s = float((time + (packet.duration or 0)) * base)
        if packet.stream_index != self._stream.index:
            self._others_end_s = max(self._others_end_s, end_s - self._start_s)
            return
        if self._first_dts_s is None:
            self._first_dts_s = float(time * base)
            self._shown_from_s = float((time if packet.pts is None else packet.pts) * base) - self._start_s
        self._video_s = max(self._video_s, end_s - self._first_dts_s)

    def describe_missing(self, frames_s: float, period_s: float) -> str:
        """Return what is missing at the end, empty for nothing.

        frames_s: length of what was decoded. period_s: between two frames.
        """
        reached_s, video_s = frames_s, self._video_s
        if self._stream.duration is None:
            # The length is that of the whole container.
            reached_s, video_s = max(reached_s, self._others_end_s), self._shown_from_s + video_s
        if self._formats & _EXACT_FORMATS:
            reached_s = max(reached_s, video_s)
            complete_s = self.announced_s - _SLACK_FRAMES * period_s - _ROUNDING_S
        else:
            complete_s = _ESTIMATED_FRACTION * self.announced_s
        return "" if reached_s >= complete_s else f"{frames_s:.1f} of {self.announced_s:.1f} s"

    def _announce(self) -> float:
        stream = self._stream
        # Where the end of an AVI file is missing, its duration is a guess, and the number of its frames is not.
        counted_s = float(stream.frames / stream.average_rate) if stream.frames and stream.average_rate else 0.0
        if stream.duration is not None and stream.time_base is not None:
            announced_s = max(float(stream.duration * stream.time_base), counted_s)
            # What was cut off without encoding anew is still in the stream; an edit list of the container skips it.
            has_edits = "mp4" in self._formats and self._container_s > 0
            return min(announced_s, self._container_s) if has_edits else announced_s
        # The tag counts from zero, and the stamps of a recorder's segment begin much later.
        tagged_s = _seconds_of(stream.metadata.get("DURATION", ""))
        return max(0.0, (tagged_s or self._container_s) - max(0.0, self._start_s))


def _seconds_of(text: str) -> float:
    """Read `HH:MM:SS.fraction`, as Matroska has the length of a stream in its tags; 0 for anything else."""
    parts = text.split(":")
    if len(parts) != 3:
        return 0.0
    try:
        return timedelta(hours=int(parts[0]), minutes=int(parts[1]), seconds=float(parts[2])).total_seconds()
    except ValueError:
        return 0.0
