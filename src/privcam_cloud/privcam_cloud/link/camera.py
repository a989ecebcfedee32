"""Receives one camera of a cloud, with quotas, pictures and a lock of its own: cameras share nothing here."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from privcam_cloud.link.camera_streams import CameraStreams, OmegaSink
from privcam_cloud.link.edge_queries import EdgeQueries, Link
from privcam_core.types.time import NS_PER_S
from privcam_link.receiving.picture_store import PictureStore
from privcam_link.receiving.quotas import Limits, ProcessorBudget, Traffic
from privcam_link.receiving.reorder_buffer import Received, ReorderBuffer
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import Header


class Camera:
    """Takes what the edge of one camera sends, and hands two streams of Ω with their pictures to the sink.

    See `Cameras` for the arguments. May be used from several threads. `put` and replies work under the camera's lock,
    also while they decode a picture. Everything else returns at once, whatever the camera makes its threads do: what
    cannot be done now is done by the thread that holds the lock, or at the next `tick`.
    """

    def __init__(
        self,
        camera_id: str,
        consumer: str,
        *,
        recording: bool,
        sink: OmegaSink,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._camera_id = camera_id
        self._sink = sink
        self._clock = clock
        self._lock = threading.RLock()
        self._orders: deque[Callable[[], None]] = deque()
        self._link: Link | None = None
        self._traffic = Traffic(limits, clock)
        self._processor = ProcessorBudget(limits.processor, clock)
        self._pictures = PictureStore(
            self._ask_picture,
            limits=limits,
            processor=ProcessorBudget(limits.picture_processor, clock),
            clock=clock,
        )
        self._buffer = ReorderBuffer(camera_id, max_pixels=limits.max_pixels)
        self._streams = CameraStreams(camera_id, self._pictures, sink, buffer=self._buffer, clock=clock)
        self._queries = EdgeQueries(
            camera_id,
            self._streams,
            self._pictures,
            consumer=consumer,
            recording=recording,
            traffic=self._traffic,
            processor=self._processor,
            working=self._working,
            clock=clock,
        )
        self._counts: dict[str, int] = {}
        self._note_counts()

    def connect(self, link: Link) -> None:
        """Use this link for queries to the edge."""
        self._link = link

    def admit(self, size: int) -> None:
        """Count a put of this many bytes before it is read. Raises Rejected for one beyond the camera's quotas.

        Only the thread that receives the camera may call it.
        """
        if not self._processor.has_any:
            raise Rejected(Reason.RATE, "the Ω of this camera take more processor time than allowed")
        self._traffic.admit(size)

    def put(self, header: Header, payload: bytes) -> None:
        """Take an Ω that the camera put. Raises Rejected."""
        with self._working():
            self._queries.received_s = self._clock()
            self._streams.hand_on(self._buffer.put(header, payload))

    def tick(self) -> None:
        """Hand on Ω whose wait for a picture is over, and send due queries."""
        with self._working():
            self._streams.hand_on(Received())
            if self._link is not None:
                self._queries.poll(self._link)

    def set_alive(self, alive: bool) -> None:
        """Take note that the edge came, or went."""
        self._order(lambda: self._queries.set_alive(alive))

    def start_recording(self, stamp_ns: int) -> None:
        """Begin the recording again behind this stamp, because the recorder has it up to there; 0: it has nothing."""

        def start() -> None:
            self._buffer.record_from(stamp_ns)
            self._queries.safe_ns = stamp_ns
            self._sink.begin_recording(self._camera_id, stamp_ns)

        self._order(start)

    def mark_safe(self, stamp_ns: int) -> None:
        """Take note that the camera is recorded safely up to this stamp: its edge may forget it."""
        self._order(lambda: self._queries.mark_safe(stamp_ns))

    def diagnostics(self) -> dict[str, int]:
        """Return counts for the diagnostics, as of the last `put` or `tick`."""
        return self._counts

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._lock:
            self._follow_orders()
            try:
                with self._processor.measured(without=self._pictures.processor):
                    yield
            finally:
                self._note_counts()

    def _order(self, order: Callable[[], None]) -> None:
        """Have something done under the lock: at once if it is free, else by the next thread that gets it."""
        self._orders.append(order)
        if self._lock.acquire(blocking=False):
            try:
                self._follow_orders()
                self._note_counts()
            finally:
                self._lock.release()

    def _follow_orders(self) -> None:
        while self._orders:
            self._orders.popleft()()

    def _note_counts(self) -> None:
        behind_ns = self._buffer.epochs.behind_ns
        self._counts = {
            "alive": int(self._queries.alive),
            **self._streams.diagnostics(),
            "processor_ms": int(1e3 * self._processor.spent_s),
            "picture_processor_ms": int(1e3 * self._pictures.processor.spent_s),
            **({} if behind_ns is None else {"clock_behind_ms": int(1e3 * behind_ns / NS_PER_S)}),
        }

    def _ask_picture(self, digest: bytes, have: tuple[bytes, ...]) -> None:
        if self._link is not None:
            self._queries.ask_picture(self._link, digest, have)
