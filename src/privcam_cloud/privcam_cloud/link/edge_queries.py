"""Queries of the cloud to the edge of one camera: for its backlog, with acknowledgements, and for pictures."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from privcam_cloud.link.camera_streams import CameraStreams
from privcam_cloud.link.flow_control import FlowControl
from privcam_cloud.link.picture_store import PictureStore
from privcam_cloud.link.session import ReplyHandler
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
    otherwise everything live counts as safe. lock: held by every caller, and by replies. clock: monotonic seconds.
    """

    def __init__(
        self,
        camera_id: str,
        streams: CameraStreams,
        pictures: PictureStore,
        *,
        consumer: str,
        recording: bool,
        lock: threading.RLock,
        clock: Callable[[], float],
    ) -> None:
        self.camera_id = camera_id
        self.streams = streams
        self.pictures = pictures
        self.lock = lock
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

    def set_alive(self, alive: bool) -> None:
        """Take note that the edge came, or went. The backlog of an edge that came is requested at once."""
        self.alive = alive
        self._asked_s = -POLL_S
        self.more = alive
        if alive:
            self.flow = FlowControl()  # the line may be another one now
            self.pictures.came(self.camera_id)

    def poll(self, link: Link) -> None:
        """Send an acknowledgement, and a query for missing Ω, if they are due."""
        now = self.clock()
        buffer = self.streams.buffer
        due_s = FAST_POLL_S if self.more or buffer.missing else POLL_S
        if not self.alive or self.asking or now - self._asked_s < due_s:
            return
        # Before the recorder says where it is, nothing is safe and nothing is requested.
        waits_for_recorder = self._recording and buffer.recorded_until_ns is None
        is_quiet = now - self.received_s >= POLL_S
        wants_more = (self.more or buffer.missing or is_quiet) and not waits_for_recorder
        if not self._recording and buffer.newest_ns == 0:
            wants_more = False  # without a recorder the past is not needed
        after_ns = buffer.wanted_after_ns if wants_more else None
        safe_ns = self.safe_ns if self._recording else buffer.newest_ns
        self.asking, self._asked_s, self.more = True, now, False
        max_bytes = 0 if after_ns is None else self.flow.max_bytes
        query = BacklogQuery(self._consumer, safe_ns, after_ns, max_bytes)
        link.ask(self.camera_id, query, _BacklogReplyHandler(self, after_ns or 0, now))

    def ask_picture(self, link: Link, digest: bytes, have: tuple[bytes, ...]) -> None:
        """Request a picture piece by piece: live Ω pass between two pieces."""
        query = PictureQuery(digest, have, max_bytes=self.flow.max_bytes)
        link.ask(self.camera_id, query, _PictureReplyHandler(self, link, query))


class _BacklogReplyHandler:
    """Takes the Ω of one backlog reply."""

    def __init__(self, queries: EdgeQueries, after_ns: int, asked_s: float) -> None:
        self._queries = queries
        self._reply = queries.streams.buffer.begin_reply(after_ns)
        self._asked_s = asked_s
        self._size = 0

    def take(self, header: Header, payload: bytes) -> None:
        """Take the next Ω of the reply. Raises Rejected."""
        with self._queries.lock:
            self._size += len(payload)
            self._queries.more = True
            self._queries.streams.hand_on(self._reply.take(header, payload))

    def end(self) -> None:
        """Let the next query follow."""
        with self._queries.lock:
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
        with self._queries.lock:
            known = len(self._pieces)
            if header.offset != known or known + len(payload) > header.total:
                raise Rejected(
                    Reason.TYPE, f"piece from byte {header.offset} of {header.total}, requested from byte {known}"
                )
            self._pieces.extend(payload)
            if len(self._pieces) == header.total:
                whole = replace(header, offset=0, total=0)
                streams = self._queries.streams
                streams.hand_on(streams.buffer.open_picture(whole, bytes(self._pieces)))

    def end(self) -> None:
        """Request the next piece, or report that the query has ended."""
        queries = self._queries
        with queries.lock:
            now, offset = queries.clock(), self._query.offset
            queries.flow.update(now - self._asked_s, len(self._pieces) - offset)
            is_known = queries.pictures.get(queries.camera_id, self._query.digest) is not None
            if is_known or len(self._pieces) == offset or not queries.alive:
                queries.pictures.ended(queries.camera_id, self._query.digest)
                return
            self._query = replace(self._query, offset=len(self._pieces), max_bytes=queries.flow.max_bytes)
            self._asked_s = now
            self._link.ask(queries.camera_id, self._query, self)
