"""Reads frames of a stream or a video file with FFmpeg, by PyAV."""

import time
from collections import deque
from dataclasses import replace
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import Any, cast

import av
import av.error
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from privcam_core.images.png import require_bgr8
from privcam_core.types.arrays import Image
from privcam_core.types.time import NS_PER_S, ns_from_seconds, seconds_from_ns
from privcam_sources.errors import SourceEnded, SourceError, SourceLost, SourceTorn
from privcam_sources.failure_reasons import reason_of
from privcam_sources.open_options import RECONNECT, OpenOptions, ffmpeg_options, hardware_decoder
from privcam_sources.orientation import UPRIGHT, orientation_of
from privcam_sources.packet_reader import PacketReader
from privcam_sources.recording_end import RecordingEnd
from privcam_sources.source_spec import Spec
from privcam_sources.stream_info import StreamInfo, TimedFrame
from privcam_sources.timing.presentation_time import MAX_GAP_S, PresentationTime

DEFAULT_RATE_HZ = 25.0
# Some files have a nonsensical rate. A time lapse takes a frame in minutes, a fast camera some hundred in a second.
RATE_RANGE_HZ = (1e-4, 480.0)
# After so many packets in a row without a frame, for as long as a frame may take, the stream has another codec now.
_MAX_UNDECODED = 25
_SEGMENTED = ("hls", "dash")
# The next segment of a live stream is there only after its whole length.
_SEGMENT_TIMEOUT_FACTOR = 4
# Of these a recording can come without a word about its length.
_DOWNLOADS = ("http", "https", "ftp")
# More frames than this are not out of order: a codec reorders up to 16.
_MAX_STRAGGLERS = 16
# So many frames may be in a decoder: those, and one for each of its threads.
_MAX_DECODING = 64


class ContainerSource:
    """Frames of one stream or file. Raises SourceError when it cannot be opened. See VideoSource."""

    def __init__(self, spec: Spec, options: OpenOptions) -> None:
        self.index, self.damaged = 0, 0
        began = time.monotonic()
        self._spec, self._options = spec, options
        self._read_s = options.read_s * (_SEGMENT_TIMEOUT_FACTOR if _may_be_segmented(spec) else 1)
        self._container = self._open()
        try:
            self._stream = self._choose_stream()
        except SourceError:
            self._container.close()
            raise
        # Frame threads decode faster, and give a frame only when as many later ones have come.
        self._stream.thread_type = "SLICE" if spec.live else "AUTO"
        length_s = (self._container.duration or 0) / av.time_base
        self._end = RecordingEnd(self._container, self._stream)
        self._info = self._describe()
        self.rate_hz = self._info.rate_hz or DEFAULT_RATE_HZ
        gap_ns = ns_from_seconds(max(MAX_GAP_S, length_s))
        self._time = PresentationTime(ns_from_seconds(1 / self.rate_hz), gap_ns)
        self._decoded: deque[VideoFrame] = deque()
        self._undecoded, self._last_frame_at = 0, time.monotonic()
        self._end_s = 0.0
        self._last_pts_ns: int | None = None
        # Decoding times go on: where they go back, the times of the stream begin anew.
        self._last_dts: int | None = None
        self._restarted = False
        self._orientation = UPRIGHT
        # AVI counts frames in the order in which they are decoded. Where a codec shows them in another one, the first
        # that is shown has the lowest of these times.
        reordered = self._container.format.name == "avi" and self._stream.codec_context.has_b_frames
        self._unordered: list[int] | None = [] if reordered else None
        segmented = self._container.format.name.startswith(_SEGMENTED)
        # Of segments the size is that of their playlist.
        sized = length_s > 0 or (self._container.size > 0 and not segmented)
        unsized = spec.target.startswith(_DOWNLOADS) and self._container.size <= 0 and not segmented
        self._packets = PacketReader(self._container, unsized=unsized)
        self._drained = False
        self.ends = not spec.live or sized
        if not self.ends and unsized and self._info.timestamps:
            self.ends = self._packets.comes_at_once(began)
        self.paced = self.ends or segmented
        if segmented and not self.ends:
            self._packets.read_ahead()

    @property
    def spec(self) -> Spec:
        """What was opened."""
        return self._spec

    @property
    def waited_ns(self) -> int:
        """For how long the data of all frames so far had to be waited for, ns."""
        return self._packets.waited_ns

    @property
    def period_ns(self) -> int:
        """Time between the last two frames, ns; before, the nominal one."""
        return self._time.step_ns

    @property
    def info(self) -> StreamInfo:
        """What the source says of itself, and what was found so far."""
        return replace(
            self._info,
            orientation=self._orientation.text,
            jumps=self._time.jumps,
            missing_times=self._time.missing,
        )

    def read(self) -> TimedFrame:
        """Return the next frame. See VideoSource."""
        frame, time_ns = self._next()
        image = self._upright(frame)
        require_bgr8(image, f"frame {self.index} of {self._spec.name}")
        return TimedFrame(image, time_ns)

    def skip(self) -> int | None:
        """Read one frame without making a picture of it, and return its time in ns."""
        return self._next()[1]

    def close(self) -> None:
        """Close the file or the connection."""
        self._packets.close()

    def _open(self) -> InputContainer:
        spec, limits = self._spec, (self._options.open_s, self._read_s)
        scheme = spec.target.partition("://")[0] if spec.kind == "stream" else "file"
        if scheme == "file":
            require_readable(spec)
            # As a URL without slashes: FFmpeg takes `a:b.mp4` for a scheme, and decodes nothing in this one.
            url = f"file:{Path(spec.target).absolute()}"
        else:
            url = spec.credentials.put_into(spec.target) if spec.credentials is not None else spec.target
        options = ffmpeg_options(scheme, self._options)
        how: dict[str, Any] = {
            "timeout": limits if spec.live else None,
            "hwaccel": hardware_decoder(self._options),
            "metadata_errors": "replace",
        }
        try:
            container: InputContainer = av.open(url, options=options, **how)
            segmented = container.format.name.startswith(_SEGMENTED)
            if scheme in ("http", "https") and container.size > 0 and not segmented:
                # Only of a file with a length FFmpeg can tell a connection that broke off from the end.
                container.close()
                container = av.open(url, options=options | RECONNECT, **how)
        except (av.error.FFmpegError, OSError) as error:
            reason = reason_of(error, spec.target, self._options.open_s)
            # The error of the library has the URL in it, with the password.
            raise SourceError(f"source {spec.name}: {reason}") from None
        return container

    def _choose_stream(self) -> VideoStream:
        streams = self._container.streams
        usable = [one for one in streams.video if not one.disposition & Disposition.attached_pic and not _is_text(one)]
        if not usable:
            what = "only sound" if streams.audio else "no video"
            raise SourceError(f"source {self._spec.name}: has {what} in it; choose another file or stream")
        best = max(usable, key=lambda one: (one.width or 0) * (one.height or 0))
        if best.codec_context is None:
            raise SourceError(f"source {self._spec.name}: its codec cannot be decoded; convert it to H.264")
        return best

    def _describe(self) -> StreamInfo:
        stream, container = self._stream, self._container
        rate = float(stream.guessed_rate or 0)
        timestamps = not container.format.flags & int(cast(int, Flags.no_timestamps.value))
        # Of a live stream without times FFmpeg makes up the rate, too.
        named = RATE_RANGE_HZ[0] <= rate <= RATE_RANGE_HZ[1] and (timestamps or not self._spec.live)
        return StreamInfo(
            container=container.format.name,
            codec=stream.codec_context.name,
            pixel_format=stream.codec_context.pix_fmt or "unknown",
            size=(stream.width, stream.height),
            rate_hz=rate if named else None,
            duration_s=self._end.announced_s or None,
            orientation=UPRIGHT.text,
            audio=bool(container.streams.audio),
            timestamps=timestamps,
            hardware=stream.codec_context.is_hwaccel,
        )

    def _next(self) -> tuple[VideoFrame, int | None]:
        frame, pts_ns = self._next_in_order()
        self._undecoded, self._last_frame_at = 0, time.monotonic()
        self.index += 1
        backwards = pts_ns is not None and self._last_pts_ns is not None and pts_ns < self._last_pts_ns
        time_ns = self._time.follow(pts_ns, restarted=backwards)
        self._restarted = self._restarted and not backwards
        self._last_pts_ns = self._last_pts_ns if pts_ns is None else pts_ns
        self._end_s = seconds_from_ns(time_ns + self._time.step_ns)
        # Of what is live the moment of arrival is better than a guess: some cameras send the same stamp for ever.
        return frame, (None if self._time.guessed and not self.ends else time_ns)

    def _next_in_order(self) -> tuple[VideoFrame, int | None]:
        """Return the next frame, and its PTS in ns.

        Behind a damaged part a decoder gives old frames again, or in a wrong order: these are left out.
        """
        for _ in range(_MAX_STRAGGLERS):
            while not self._decoded:
                self._decode(self._demux())
            frame = self._decoded.popleft()
            pts_ns, last_ns = self._pts_ns_of(frame), self._last_pts_ns
            if self._restarted or pts_ns is None or last_ns is None or pts_ns >= last_ns:
                break
            self.damaged += 1
        return frame, pts_ns

    def _pts_ns_of(self, frame: VideoFrame) -> int | None:
        """Return when a frame that the decoder gives now is shown. To be called once for each."""
        if frame.pts is None or frame.time_base is None or not self._info.timestamps:
            return None  # where a format has no times, FFmpeg makes them up, at 25 frames/s
        if self._unordered is None:
            return round(frame.pts * frame.time_base * NS_PER_S)
        while len(self._unordered) > _MAX_DECODING:
            heappop(self._unordered)  # that frame was lost
        return round((heappop(self._unordered) if self._unordered else frame.pts) * frame.time_base * NS_PER_S)

    def _demux(self) -> "Packet[Any] | None":
        """Return the next packet; None at the end, where the decoder may still hold frames."""
        try:
            packet = self._packets.next()
        except (av.error.FFmpegError, OSError) as error:
            reason = reason_of(error, self._spec.target, self._read_s)
            if self.ends and self.index:
                raise self._torn(reason) from None
            raise SourceLost(f"source {self._spec.name}: {reason}") from None
        if packet is None:
            if self._drained:
                raise self._at_end()
            self._drained = True
            return None
        self._end.note(packet)
        if packet.stream_index == self._stream.index and packet.dts is not None:
            self._restarted = self._restarted or (self._last_dts is not None and packet.dts < self._last_dts)
            self._last_dts = packet.dts
            if self._unordered is not None and packet.size:
                heappush(self._unordered, packet.dts)
        return packet

    def _decode(self, packet: "Packet[Any] | None") -> None:
        if packet is not None and packet.stream_index != self._stream.index:
            return
        try:
            self._decoded.extend(self._stream.codec_context.decode(packet))
        except av.error.EOFError:
            return  # it was emptied before
        except av.error.FFmpegError:
            self.damaged += 1
            if self._unordered and packet is not None and packet.dts in self._unordered:
                self._unordered.remove(packet.dts)
                heapify(self._unordered)
        self._undecoded += not self._decoded
        silent_s = time.monotonic() - self._last_frame_at
        if self._spec.live and self._undecoded > _MAX_UNDECODED and silent_s > self._options.read_s:
            raise SourceLost(f"source {self._spec.name}: sends data that cannot be decoded; the codec may have changed")

    def _at_end(self) -> Exception:
        if not self.ends:
            return SourceLost(f"source {self._spec.name}: the host ended the stream")
        if self.index == 0:
            return SourceError(f"source {self._spec.name}: holds no frame that can be decoded")
        missing = self._end.describe_missing(self._end_s, max(1 / self.rate_hz, seconds_from_ns(self._time.step_ns)))
        if missing:
            return self._torn(f"{missing}, its end is missing")
        return SourceEnded()

    def _torn(self, reason: str) -> SourceTorn:
        return SourceTorn(
            f"source {self._spec.name}: breaks off after {self.index} frames ({reason}); "
            "the recording is damaged or not complete, copy it again"
        )

    def _upright(self, frame: VideoFrame) -> Image:
        matrix = frame.side_data.get("DISPLAYMATRIX")
        self._orientation = orientation_of(bytes(matrix)) if isinstance(matrix, Buffer) else UPRIGHT
        return self._orientation.apply(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8))


def require_readable(spec: Spec) -> None:
    """Raise SourceError where a file of this host is not there, is none, or may not be read."""
    path = Path(spec.target)
    try:
        if not path.exists():
            raise SourceError(f"source {spec.name}: no such file")
        if not path.is_file():  # a pipe would wait for its other end
            raise SourceError(f"source {spec.name}: is no file, but a folder, a pipe or a device")
        with path.open("rb"):
            pass
    except OSError:
        raise SourceError(f"source {spec.name}: not a file that this user may read") from None


def _is_text(stream: VideoStream) -> bool:
    """Whether FFmpeg would draw the letters of a text file."""
    return stream.codec_context is not None and stream.codec_context.name in ("ansi", "bintext", "xbin", "idf")


def _may_be_segmented(spec: Spec) -> bool:
    return (
        spec.kind == "stream" and spec.target.startswith("http") and (".m3u8" in spec.target or ".mpd" in spec.target)
    )
