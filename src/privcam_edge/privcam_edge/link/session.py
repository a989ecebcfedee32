"""The edge's end of the Zenoh link: sends the Ω of one camera, answers queries for pictures and the backlog."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType

import zenoh

from privcam_core.types.omega import Omega
from privcam_edge.link.omega_queue import OmegaQueue
from privcam_edge.link.packetizer import Packetizer
from privcam_edge.link.picture_schedule import PictureSchedule
from privcam_link import cdr
from privcam_link.connections import describe_links
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import BacklogQuery, Header, PictureQuery, Query, key_expression, query_of

_log = logging.getLogger(__name__)

# Payload bytes of one reply to a backlog query without a size: nearly a second on a slow line, and for that long it
# delays the live Ω. The consumer queries again.
BACKLOG_BYTES = 24 * 1024
# Largest reply, in payload bytes.
MAX_REPLY_BYTES = 1024 * 1024
# Queries of one kind that may wait for their reply: a consumer sends one after the other, and a few consumers do. A
# flood of queries would otherwise fill the memory, and replies to queries given up long ago would fill the line.
MAX_WAITING_QUERIES = 16
# Compression makes Ω at best this many times smaller: it limits the bytes that are read from the queue for a reply.
_MAX_COMPRESSION = 8
# Live Ω overtake everything else on a full line.
LIVE = zenoh.Priority.REAL_TIME
# Pictures and the backlog take the rest of the line.
LATER = zenoh.Priority.BACKGROUND


@dataclass(frozen=True)
class _PictureReply:
    """The reply to a query for the picture with this digest. have: digests that the query names as patch bases."""

    digest: bytes
    have: tuple[bytes, ...]
    header: Header
    payload: bytes


class EdgeLink:
    """Sends the Ω of one camera and keeps them until the cloud has them. `send` never waits for the network.

    settings: of the Zenoh session (`endpoints.connect_settings` and `access_control` of `privcam_link`).
    queue, pictures: of this camera. `refused` counts the refused queries. At most MAX_WAITING_QUERIES of each kind
    wait, so a flood of one kind, which a viewer may send, does not stop the other, which only a cloud may. Every Ω that
    is given to `send` must have passed the gate.
    """

    def __init__(
        self,
        camera_id: str,
        settings: Mapping[str, str],
        queue: OmegaQueue,
        pictures: PictureSchedule,
    ) -> None:
        self._key = key_expression(camera_id)
        self._queue = queue
        self._pictures = pictures
        self._counting = threading.Lock()
        self._packetizer = Packetizer(queue)
        self.sent = 0
        self.sent_bytes = 0
        self.replied = 0
        self._refused: Counter[Reason] = Counter()
        self._waiting: Counter[type[Query]] = Counter()
        # Pictures and replies wait for the network on this thread, never on the thread of the node or of Zenoh.
        self._worker = ThreadPoolExecutor(1, "link")
        # The picture that was queried last, for queries that ask for it piece by piece.
        self._picture_reply: _PictureReply | None = None
        config = zenoh.Config()
        for name, value in settings.items():
            config.insert_json5(name, value)
        self._session = zenoh.open(config)
        self._transports = self._session.info.declare_transport_events_listener(self._note_transport, history=True)
        # Not express: on a full line, several Ω share a batch instead of being dropped while no batch is free.
        self._publisher = self._session.declare_publisher(
            self._key, congestion_control=zenoh.CongestionControl.DROP, priority=LIVE
        )
        self._queryables = [
            self._session.declare_queryable(self._key + kind.key, partial(self._take_query, kind))
            for kind in (PictureQuery, BacklogQuery)
        ]
        self._alive = self._session.liveliness().declare_token(self._key)

    @property
    def connected(self) -> bool:
        """Whether a cloud is at the other end now."""
        # Zenoh is asked, because its event that a transport is gone may come much later, with the next transport.
        return not self._session.is_closed() and bool(self._session.info.transports())

    @property
    def connections(self) -> frozenset[str]:
        """The clouds at the other ends, one text each."""
        return describe_links([] if self._session.is_closed() else self._session.info.links())

    @property
    def refused(self) -> Counter[Reason]:
        """Number of refused queries by reason. A copy, because queries arrive on threads of Zenoh."""
        return Counter(self._refused)

    def send(self, omega: Omega) -> bool:
        """Put Ω into the queue, send it if a cloud is connected, and return whether it was sent.

        omega: with its PNG. Under congestion the network drops it, and the cloud queries it later. Raises sqlite3.Error
        if the queue cannot be written; then the Ω is not sent, because the queue gives it its number.
        """
        omega = self._queue.with_own_stamp(omega)
        row = self._queue.put(omega)
        if not self.connected:
            return False
        header, payload = self._packetizer.live(row)
        attachment = header.encode()
        self._publisher.put(payload, attachment=attachment)
        self.sent += 1
        self.sent_bytes += len(payload) + len(attachment)
        if self._pictures.due(omega.environment.digest):
            self._worker.submit(self._guarded, self._send_picture, omega, row.n)
        return True

    def close(self) -> None:
        """Leave the network. A second call does nothing."""
        if not self._session.is_closed():
            self._session.close()  # type: ignore[no-untyped-call]
            self._worker.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> "EdgeLink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send_picture(self, omega: Omega, n: int) -> None:
        """Send the same Ω once more with its picture, at the lowest priority."""
        if not self._pictures.due(omega.environment.digest):
            return
        made = self._pictures.make(omega.environment)
        if made is None:
            return  # too large to be sent without a query
        header, payload = self._packetizer.picture(n, omega, made)
        attachment = header.encode()
        self._session.put(
            self._key,
            payload,
            attachment=attachment,
            priority=LATER,
            congestion_control=zenoh.CongestionControl.BLOCK,
        )
        self.sent_bytes += len(payload) + len(attachment)

    def _note_transport(self, event: zenoh.TransportEvent) -> None:
        if event.kind == zenoh.SampleKind.PUT:
            self._packetizer.restart()

    def _take_query(self, kind: type[Query], query: zenoh.Query) -> None:
        if self._session.is_closed():
            return
        with self._counting:
            if self._waiting[kind] >= MAX_WAITING_QUERIES:
                self._refused[Reason.RATE] += 1
                return  # Zenoh ends the query without a reply, and the consumer sends it again
            self._waiting[kind] += 1
        self._worker.submit(self._guarded, self._reply, query, kind)

    def _guarded(self, work: Callable[..., None], *arguments: object) -> None:
        """Run `work` on the worker and log its error, because no caller waits for the result."""
        try:
            work(*arguments)
        except Exception:
            if not self._session.is_closed():
                _log.exception("%s: %s failed", self._key, work.__name__.strip("_"))

    def _reply(self, query: zenoh.Query, kind: type[Query]) -> None:
        with self._counting:
            self._waiting[kind] -= 1
        with query:
            try:
                rows = self._find(str(query.parameters), kind)
            except Rejected as rejection:
                with self._counting:
                    self._refused[rejection.reason] += 1
                    first = self._refused[rejection.reason] == 1
                _log.log(logging.WARNING if first else logging.DEBUG, "query refused: %s", rejection)
                query.reply_err(rejection.reason.value)
                return
            for header, payload in rows:
                attachment = header.encode()
                # The reply has the priority and the congestion control of the query.
                query.reply(self._key + kind.key, payload, attachment=attachment)
                self.sent_bytes += len(payload) + len(attachment)
            with self._counting:
                self.replied += 1

    def _find(self, parameters: str, kind: type[Query]) -> list[tuple[Header, bytes]]:
        """Return the packets of the reply to a query. kind: the query that belongs to the key on which it arrived."""
        query = query_of(parameters)
        if not isinstance(query, kind):
            raise Rejected(Reason.QUERY, f"query: {parameters[:200]!r} arrived on the key of another query")
        if isinstance(query, PictureQuery):
            return [self._find_picture(query)]
        if query.ack_ns > self._queue.newest_ns:
            raise Rejected(Reason.QUERY, f"query: {parameters[:200]!r} acknowledges an Ω that was never here")
        self._queue.acknowledge(query.consumer, query.ack_ns)
        if query.after_ns is None:
            return []
        self._packetizer.refresh_soon()
        max_bytes = min(query.max_bytes or BACKLOG_BYTES, MAX_REPLY_BYTES)
        rows = self._queue.after(query.after_ns, max_bytes=_MAX_COMPRESSION * max_bytes)
        return self._packetizer.backlog(rows, max_bytes=max_bytes)

    def _find_picture(self, query: PictureQuery) -> tuple[Header, bytes]:
        """Return the reply to a query for a picture, or the queried piece of it.

        A consumer queries the pieces one after the other; all are pieces of the reply that was made for the first one.
        """
        reply = self._picture_reply
        if reply is None or (reply.digest, reply.have) != (query.digest, query.have) or not query.offset:
            row = self._queue.picture(query.digest)
            if row is None:
                raise Rejected(Reason.UNKNOWN_PICTURE, f"no picture with digest {query.digest.hex()} is kept")
            omega = cdr.decode(row.payload)
            environment = self._pictures.make_reply(omega.environment, query.have)
            header, payload = self._packetizer.picture(row.n, omega, environment)
            self._picture_reply = reply = _PictureReply(query.digest, query.have, header, payload)
        if not query.max_bytes:
            return reply.header, reply.payload
        size = len(reply.payload)
        if query.offset >= size:
            raise Rejected(Reason.QUERY, f"query: byte {query.offset} of a reply of {size} bytes")
        piece = reply.payload[query.offset : query.offset + min(query.max_bytes, MAX_REPLY_BYTES)]
        return replace(reply.header, offset=query.offset, total=size), piece
