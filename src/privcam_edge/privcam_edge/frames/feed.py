"""Captures frames from a video source in a thread and puts them into the frame memory, without ROS."""

import threading
from collections import Counter
from typing import Protocol

from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_core.types.stamp_clock import StampClock
from privcam_core.types.time import ns_from_seconds
from privcam_edge.frames.credit import Credit
from privcam_edge.frames.frame_store import FrameStore
from privcam_edge.frames.ring import FrameSlot
from privcam_sources.errors import SourceEnded, SourceError, SourceTorn
from privcam_sources.open_options import OpenOptions
from privcam_sources.source_spec import Spec
from privcam_sources.timing.backoff import Backoff
from privcam_sources.timing.playback import SkippedFrame, StampedFrame, take_frames
from privcam_sources.video_source import VideoSource, open_source

# How often a lossless feed that waits for credit checks whether it has to end.
_CREDIT_POLL_S = 0.2
# Where the graph loses the only picture that is in it, e.g. because its models are loaded, it gets it so often again.
_MAX_REPEATS = 3


class FrameLost(RuntimeError):
    """A lossless graph lost a frame."""


class FrameListener(Protocol):
    """Receives what a feed captures. The methods are called on the capture thread."""

    def publish_frame(self, key: SyncKey, slot: FrameSlot) -> None:
        """Publish one stored frame."""

    def explain_loss(self) -> str:
        """Return which node of the graph lost a frame, and the remedy."""

    def fail(self, text: str) -> None:
        """Report an error of the source."""

    def end(self, code: int) -> None:
        """End the process with this exit code: the source has ended (0) or cannot be read any more (1)."""


class Feed:
    """Reads a video source in a thread, stores its frames and gives them to a listener. clock: gives the stamps of κ.

    Recordings, of this host or of a server, and segmented streams are played at the pace of their own times; what is
    live comes when it comes, with stamps of the same spacing. lossless False: a frame that finds no credit is skipped.
    lossless True (recordings only): the next frame is read when there is credit, and the feed fails where the graph
    loses one; stamps still advance in video time.
    """

    def __init__(
        self,
        spec: Spec,
        store: FrameStore,
        credit: Credit,
        listener: FrameListener,
        clock: StampClock,
        *,
        lossless: bool,
        loop: bool,
        max_rate_hz: float,
        options: OpenOptions | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.state = "opening"
        self._spec, self._store, self._credit = spec, store, credit
        self._listener, self._clock, self._options = listener, clock, options
        self._lossless, self._loop = lossless, loop
        self._min_step_ns = ns_from_seconds(1 / max_rate_hz) if max_rate_hz > 0 else 0
        self._ending = threading.Event()
        # A missing file is an error of the caller and raises here. A missing camera may come back.
        self._source = None if spec.live else open_source(spec)
        self._frame_id = 0
        self._stamp_ns = 0
        self._next_due_ns = 0
        # The picture that was sent last, of a lossless feed, and how often.
        self._sent: Image | None = None
        self._repeats = 0
        self._is_recording = not spec.live
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    @property
    def is_recording(self) -> bool:
        """Whether the frames are those of a recording, and nothing of them happens now."""
        return self._is_recording

    def start(self) -> None:
        """Start the capture thread."""
        self._thread.start()

    def close(self) -> None:
        """End the capture thread and close the source."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._source is not None:
            self._source.close()

    def _run(self) -> None:
        backoff = Backoff()
        while not self._ending.is_set():
            try:
                if self._source is None:
                    self._source = open_source(self._spec, self._options)
                    self._is_recording = self._source.ends
                if self._lossless and not self._source.ends:
                    raise SourceError(f"source {self._spec.name}: is live; lossless is for recordings, leave it out")
                self.state = "capturing"
                self._take(self._source, backoff)
            except SourceEnded:
                if self._loop:
                    self._reopen()
                    continue
                try:
                    self._credit.drain()
                    while self._repeat_lost():
                        self._credit.drain()
                except FrameLost as lost:
                    self._end_failed(lost)
                    return
                self._tell_damage()
                self.state = "ended"
                self._listener.end(0)
                return
            except Exception as error:
                # A lost stream, a frame of the wrong kind, a full /dev/shm: none of them may end the thread without a
                # report.
                self._handle_error(error, backoff)

    def _handle_error(self, error: Exception, backoff: Backoff) -> None:
        self.counts["source_errors"] += 1
        if not self._spec.live or self._lossless or isinstance(error, SourceTorn):
            self._end_failed(error)
            return
        wait = backoff.failed()
        self.state = f"lost: {error}"
        self._listener.fail(f"{error}; next attempt in {wait:g} s")
        self._reopen()
        self._ending.wait(wait)

    def _end_failed(self, error: Exception) -> None:
        self.state = f"failed: {error}"
        self._listener.fail(self.state)
        self._ending.set()
        self._credit.drain()
        self._listener.end(1)

    def _tell_damage(self) -> None:
        """Say where a recording has ended, but not all of it could be used."""
        assert self._source is not None
        damaged = self._source.damaged
        if damaged:
            self._listener.fail(f"source {self._spec.name}: {damaged} parts could not be decoded; the others were used")

    def _reopen(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _take(self, source: VideoSource, backoff: Backoff) -> None:
        frames = take_frames(source, self._clock, self._ending, after_ns=self._stamp_ns, lossless=self._lossless)
        for frame in frames:
            self.counts["damaged"] = source.damaged
            backoff.succeeded()
            if isinstance(frame, SkippedFrame):
                self._frame_id += 1
                self.counts[frame.why] += 1
            else:
                self._put(frame)

    def _put(self, frame: StampedFrame) -> None:
        """Store a frame and publish it, where its place in the graph is free and it does not come too soon."""
        self.counts["captured"] += 1
        assert self._source is not None
        stamp_ns = frame.stamp_ns
        too_soon = stamp_ns < self._next_due_ns - self._source.period_ns // 2
        if not self._lossless and (too_soon or not self._credit.acquire(self._frame_id + 1)):
            self.counts["over_rate" if too_soon else "skipped"] += 1
            self._frame_id, self._stamp_ns = self._frame_id + 1, stamp_ns
            return
        if self._lossless and not self._wait_for_credit():
            return
        if self._min_step_ns:
            self._next_due_ns = max(self._next_due_ns + self._min_step_ns, stamp_ns)
        self._sent, self._repeats = frame.image if self._lossless else None, 0
        self._publish(frame.image, stamp_ns, frame.arrived_ns)

    def _publish(self, image: Image, stamp_ns: int, arrived_ns: int | None) -> None:
        self._frame_id, self._stamp_ns = self._frame_id + 1, stamp_ns
        key, slot = self._store.put(image, self._frame_id, stamp_ns, arrived_ns)
        self._listener.publish_frame(key, slot)

    def _wait_for_credit(self) -> bool:
        """Wait until the next frame may be sent without loss; False where the feed ends before."""
        while not self._ending.is_set():
            if self._credit.acquire(self._frame_id + 1, wait_s=_CREDIT_POLL_S):
                if not self._credit.lost:
                    return True
                self._credit.cancel(self._frame_id + 1)
            self._repeat_lost()
        return False

    def _repeat_lost(self) -> bool:
        """Send the last frame again if the graph lost it, as a new one just after it; say whether it did.

        Raises FrameLost for one that others followed, whose place in the order is past, or that is lost repeatedly.
        """
        if not self._credit.lost:
            return False
        if self._credit.lost != [self._frame_id] or self._sent is None or self._repeats >= _MAX_REPEATS:
            raise FrameLost(f"the graph lost frame {self._credit.lost[0]}: {self._listener.explain_loss()}")
        self._credit.lost.clear()
        self._repeats += 1
        self.counts["repeated"] += 1
        self._credit.acquire(self._frame_id + 1)
        self._publish(self._sent, self._stamp_ns + 1, None)
        return True
