"""Queries of the cloud to the edge of one camera: for its backlog, with acknowledgements, and for pictures."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from privcam_cloud.link.camera_streams import CameraStreams
from privcam_cloud.link.flow_control import FlowControl
from privcam_cloud.link.session import ReplyHandler
from privcam_link.cdr import MAX_BARE_BYTES
from privcam_link.receiving.picture_store import PictureStore
from privcam_link.receiving.quotas import ProcessorBudget, Traffic
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import BacklogQuery, Header, PictureQuery, Query

# An edge gets an acknowledgement this often, in s, with a query for more where nothing came for this long.
POLL_S = 1.0
# After a reply with content the next query follows after this, in s: about 800 Ω per second.
FAST_POLL_S = 0.1


class Link(Protocol):
    """Sends queries to edges; see `CloudLink.ask`."""

    def ask(self, camera_id: str, query: Query, reply: ReplyHandler) -> None:
        """Send a query to the edge of a camera. Does not wait."""


class EdgeQueries:
    """State of the queries to one edge.

    consumer: name under which the edge keeps Ω for this cloud. recording: whether a recorder reports what is safe;
    otherwise everything live counts as safe. traffic, processor: quotas of the camera, which replies count against; no
    query is sent while they are used up. working: the context in which replies are taken: it holds the camera's lock,
    as every caller does. clock: monotonic seconds.
    """

    def __init__(
        self,
        camera_id: str,
        streams: CameraStreams,
        pictures: PictureStore,
        *,
        consumer: str,
        recording: bool,
        traffic: Traffic,
        processor: ProcessorBudget,
        working: Callable[[], AbstractContextManager[None]],
        clock: Callable[[], float],
    ) -> None:
        self.camera_id = camera_id
        self.streams = streams
        self.pictures = pictures
        self.traffic = traffic
        self.processor = processor
        self.working = working
        self.clock = clock
        self.flow = FlowControl()
        self.alive = False
        self.more = False  # the edge probably has more Ω
        self.safe_ns = 0  # everything up to this stamp is recorded
        self.received_s = 0.0
        self.asking = False
        self._consumer = consumer
        self._recording = recording
        self._asked_s = 0.0

    @property
    def may_fetch(self) -> bool:
        """Whether the camera's quotas allow another query for content."""
        return self.traffic.may_fetch and self.processor.has_any

    def set_alive(self, alive: bool) -> None:
        """Take note that the edge came, or went. The backlog of an edge that came is requested at once."""
        self.alive = alive
        self._asked_s = -POLL_S
        self.more = alive
        if alive:
            self.flow = FlowControl()  # the line may be another one now
            self.pictures.came()

    def mark_safe(self, stamp_ns: int) -> None:
        """Take note that everything up to this stamp is recorded safely.

        A stamp behind the recording is of the time before the camera's clock was set back, and is not repeated: the
        edge could take it for one of the time since.
        """
        until_ns = self.streams.buffer.recorded_until_ns
        if until_ns is not None and stamp_ns <= until_ns:
            self.safe_ns = max(self.safe_ns, stamp_ns) if self.safe_ns <= until_ns else stamp_ns

    def poll(self, link: Link) -> None:
        """Send an acknowledgement, and a query for missing Ω, if they are due."""
        now = self.clock()
        buffer = self.streams.buffer
        due_s = FAST_POLL_S if self.more or buffer.missing else POLL_S
        if not self.alive or self.asking or now - self._asked_s < due_s or not self.may_fetch:
            return
        # Before the recorder says where it is, nothing is safe and nothing is requested.
        waits_for_recorder = self._recording and buffer.recorded_until_ns is None
        is_quiet = now - self.received_s >= POLL_S
        wants_more = (self.more or buffer.missing or is_quiet) and not waits_for_recorder
        if not self._recording and buffer.newest_ns == 0:
            wants_more = False  # without a recorder the past is not needed
        after_ns = buffer.wanted_after_ns if wants_more else None
        safe_ns = buffer.newest_ns
        if self._recording:
            safe_ns = self.safe_ns if self.safe_ns <= (buffer.recorded_until_ns or 0) else 0
        self.asking, self._asked_s, self.more = True, now, False
        max_bytes = 0 if after_ns is None else self.flow.max_bytes
        query = BacklogQuery(self._consumer, safe_ns, after_ns, max_bytes)
        link.ask(self.camera_id, query, _BacklogReplyHandler(self, after_ns or 0, max_bytes, now))

    def ask_picture(self, link: Link, digest: bytes, have: tuple[bytes, ...]) -> None:
        """Request a picture piece by piece: live Ω pass between two pieces."""
        query = PictureQuery(digest, have, max_bytes=self.flow.max_bytes)
        link.ask(self.camera_id, query, _PictureReplyHandler(self, link, query))


class _BacklogReplyHandler:
    """Takes the Ω of one backlog reply."""

    def __init__(self, queries: EdgeQueries, after_ns: int, max_bytes: int, asked_s: float) -> None:
        self._queries = queries
        self._reply = queries.streams.buffer.begin_reply(after_ns)
        self._asked_s = asked_s
        self._max_bytes = max(max_bytes, MAX_BARE_BYTES)  # one Ω comes whatever its size
        self._size = 0

    def take(self, header: Header, payload: bytes) -> None:
        """Take the next Ω of the reply. Raises Rejected."""
        queries = self._queries
        with queries.working():
            self._size += len(payload)
            if self._size > self._max_bytes:
                self._reply.end()
                raise Rejected(Reason.TOO_LARGE, f"reply: more than the {self._max_bytes} bytes that were requested")
            queries.traffic.count(len(payload))
            queries.more = True
            if not queries.processor.has_any:
                self._reply.end()
                raise Rejected(Reason.RATE, "the backlog of this camera takes more processor time than allowed")
            queries.streams.hand_on(self._reply.take(header, payload))

    def end(self) -> None:
        """Let the next query follow."""
        with self._queries.working():
            self._queries.asking = False
            self._queries.flow.update(self._queries.clock() - self._asked_s, self._size)


class _PictureReplyHandler:
    """Collects the pieces of one picture, and requests the next piece until the picture is known."""

    def __init__(self, queries: EdgeQueries, link: Link, query: PictureQuery) -> None:
        self._queries = queries
        self._link = link
        self._query = query
        self._asked_s = queries.clock()
        self._pieces = bytearray()

    def take(self, header: Header, payload: bytes) -> None:
        """Take a piece. Raises Rejected for one that was not requested, and for a wrong picture."""
        queries = self._queries
        with queries.working():
            known = len(self._pieces)
            if header.offset != known or known + len(payload) > header.total:
                raise Rejected(
                    Reason.TYPE, f"piece from byte {header.offset} of {header.total}, requested from byte {known}"
                )
            if known - self._query.offset + len(payload) > self._query.max_bytes:
                raise Rejected(Reason.TOO_LARGE, f"piece: more than the {self._query.max_bytes} bytes requested")
            queries.traffic.count(len(payload))
            self._pieces.extend(payload)
            if len(self._pieces) == header.total:
                whole = replace(header, offset=0, total=0)
                queries.streams.hand_on(queries.streams.buffer.open_picture(whole, bytes(self._pieces)))

    def end(self) -> None:
        """Request the next piece, or report that the query has ended."""
        queries = self._queries
        with queries.working():
            now, offset = queries.clock(), self._query.offset
            queries.flow.update(now - self._asked_s, len(self._pieces) - offset)
            is_known = queries.pictures.get(self._query.digest) is not None
            got_nothing = len(self._pieces) == offset
            if is_known or got_nothing or not queries.alive or not queries.may_fetch:
                queries.pictures.ended(self._query.digest)
                return
            self._query = replace(self._query, offset=len(self._pieces), max_bytes=queries.flow.max_bytes)
            self._asked_s = now
            self._link.ask(queries.camera_id, self._query, self)
