"""The cloud's end of the Zenoh link. Every sample is untrusted bytes until it is a checked Ω."""

import functools
import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol

import zenoh
from zenoh.handlers import Callback, Handler, RingChannel

from privcam_core.niceness import RUNNING_NICENESS, be_nice
from privcam_link import cdr
from privcam_link.connections import describe_links
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import ALL_CAMERAS, Header, Query, camera_of, header_of, key_expression

_log = logging.getLogger(__name__)

# A picture may take this long on a slow line, in s. A dead line is noticed sooner, and ends a query too.
_REPLY_TIMEOUT_S = 30.0
# Puts of one camera that may wait to be read: a second of a fast camera. Beyond this Zenoh drops the oldest, which
# costs no processor time here; the edge still has them, and the numbers of Ω tell how many are missing (`skipped`).
_WAITING_PUTS = 64
# After a put that was refused for a quota, a camera is not read for this long, in s.
_PAUSE_S = 0.02


class Receiver(Protocol):
    """Takes samples: puts of each camera on a thread of that camera, tokens on a thread of Zenoh."""

    @property
    def camera_ids(self) -> Sequence[str]:
        """The cameras to receive."""

    def admit(self, camera_id: str, size: int) -> None:
        """Count a put of this many bytes before it is read. Raises Rejected for one too many."""

    def put(self, camera_id: str, header: Header, payload: bytes) -> None:
        """Take an Ω that a camera put. Raises Rejected."""

    def set_alive(self, camera_id: str, alive: bool) -> None:
        """Take note that the edge of a camera came, or went."""


class ReplyHandler(Protocol):
    """Takes the reply to one query, on threads of Zenoh. `take` may raise Rejected."""

    def take(self, header: Header, payload: bytes) -> None:
        """Take the next Ω of the reply, in order."""

    def end(self) -> None:
        """Take note that nothing more comes, whatever came."""


class CloudLink:
    """Receives the Ω of cameras and sends queries to their edges.

    settings: of the Zenoh session (`endpoints.listen_settings` and `access_control` of `privcam_link`).
    Rejected samples are counted in `rejected`, and the first of each reason and camera is logged as a warning with its
    key. Every camera has a subscription, a bounded channel and a thread of its own, so that none waits for another.
    Raises OSError where nothing can listen.
    """

    def __init__(self, settings: Mapping[str, str], receiver: Receiver) -> None:
        self._receiver = receiver
        self._counting = threading.Lock()
        self.received = 0
        self.received_bytes = 0
        self._rejected: Counter[tuple[str, Reason]] = Counter()
        config = zenoh.Config()
        for name, value in settings.items():
            config.insert_json5(name, value)
        try:
            self._session = zenoh.open(config)
        except zenoh.ZError as error:
            raise OSError(
                f"endpoint: cannot listen on {settings.get('listen/endpoints')}: {error}; is another cloud running?"
            ) from error
        self._threads = [self._receive(camera_id) for camera_id in receiver.camera_ids]
        self._tokens = self._session.liveliness().declare_subscriber(ALL_CAMERAS, self._take_token, history=True)

    @property
    def edges(self) -> int:
        """Number of edges and viewers that are connected now."""
        return 0 if self._session.is_closed() else len(self._session.info.transports())

    @property
    def connections(self) -> frozenset[str]:
        """The edges and viewers at the other ends, one text each."""
        return describe_links([] if self._session.is_closed() else self._session.info.links())

    @property
    def rejected(self) -> Counter[Reason]:
        """Number of rejected samples by reason."""
        counts: Counter[Reason] = Counter()
        for camera_id in self._receiver.camera_ids:
            counts += self.rejected_of(camera_id)
        return counts

    def rejected_of(self, camera_id: str) -> Counter[Reason]:
        """Number of rejected samples of one camera by reason."""
        with self._counting:
            return Counter({reason: count for (name, reason), count in self._rejected.items() if name == camera_id})

    def ask(self, camera_id: str, query: Query, reply: ReplyHandler) -> None:
        """Send a query to the edge of a camera. Does not wait; `reply` is called on threads of Zenoh."""
        if self._session.is_closed():
            return
        self._session.get(
            f"{key_expression(camera_id)}{query.key}?{query.encode()}",
            Callback(functools.partial(self._take_reply, camera_id, reply), reply.end),
            # Several Ω on one key are one reply, not newer versions of one value.
            consolidation=zenoh.ConsolidationMode.NONE,
            priority=zenoh.Priority.BACKGROUND,
            # Queries are small and few: this waits only where the line is about to be given up.
            congestion_control=zenoh.CongestionControl.BLOCK,
            timeout=_REPLY_TIMEOUT_S,
        )

    def close(self) -> None:
        """Stop listening. A second call does nothing."""
        if not self._session.is_closed():
            self._session.close()  # type: ignore[no-untyped-call]
            for thread in self._threads:
                thread.join()

    def __enter__(self) -> "CloudLink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self, camera_id: str) -> threading.Thread:
        """Subscribe to a camera and start the thread that reads it."""
        subscriber = self._session.declare_subscriber(key_expression(camera_id), RingChannel(_WAITING_PUTS))
        thread = threading.Thread(
            target=self._read, args=(camera_id, subscriber), name=f"read_{camera_id}", daemon=True
        )
        thread.start()
        return thread

    def _read(self, camera_id: str, subscriber: "zenoh.Subscriber[Handler[zenoh.Sample]]") -> None:
        be_nice(RUNNING_NICENESS)  # so that no camera is ahead of another camera's node
        for sample in subscriber:
            try:
                if not self._take_put(camera_id, sample):
                    time.sleep(_PAUSE_S)
            except Exception:
                _log.exception("%s: a sample was dropped", camera_id)

    def _take_put(self, camera_id: str, sample: zenoh.Sample) -> bool:
        """Take a put; return False if it was refused before it was read."""
        try:
            self._receiver.admit(camera_id, len(sample.payload))
        except Rejected as rejection:
            self._count_rejected(camera_id, sample, rejection)
            return False
        try:
            header, payload = _open_sample(sample)
            self._receiver.put(camera_id, header, payload)
        except Rejected as rejection:
            self._count_rejected(camera_id, sample, rejection)
        else:
            self._count_received(sample)
        return True

    def _take_reply(self, camera_id: str, handler: ReplyHandler, reply: zenoh.Reply) -> None:
        sample = reply.ok
        if sample is None:
            return
        try:
            header, payload = _open_sample(sample)
            handler.take(header, payload)
        except Rejected as rejection:
            self._count_rejected(camera_id, sample, rejection)
        else:
            self._count_received(sample)

    def _take_token(self, sample: zenoh.Sample) -> None:
        try:
            camera_id = camera_of(str(sample.key_expr))
        except Rejected as rejection:
            _log.warning("a liveliness token on %s is no camera's: %s", sample.key_expr, rejection)
            return
        self._receiver.set_alive(camera_id, sample.kind == zenoh.SampleKind.PUT)

    def _count_received(self, sample: zenoh.Sample) -> None:
        size = len(sample.payload) + (0 if sample.attachment is None else len(sample.attachment))
        with self._counting:
            self.received += 1
            self.received_bytes += size

    def _count_rejected(self, camera_id: str, sample: zenoh.Sample, rejection: Rejected) -> None:
        with self._counting:
            self._rejected[camera_id, rejection.reason] += 1
            first = self._rejected[camera_id, rejection.reason] == 1
        _log.log(logging.WARNING if first else logging.DEBUG, "%s rejected: %s", sample.key_expr, rejection)


def _open_sample(sample: zenoh.Sample) -> tuple[Header, bytes]:
    """Return header and payload of a sample that claims to be an Ω. Raises Rejected for any other sample."""
    if sample.kind != zenoh.SampleKind.PUT:
        raise Rejected(Reason.TYPE, "is not a put")
    size = len(sample.payload)
    if size > cdr.MAX_OMEGA_BYTES:
        raise Rejected(Reason.TOO_LARGE, f"payload: {size} bytes, limit {cdr.MAX_OMEGA_BYTES}")
    attachment = None if sample.attachment is None else sample.attachment.to_bytes()
    return header_of(attachment), sample.payload.to_bytes()
