"""The edge's end of the Zenoh link: Ω of one camera out, questions for pictures and a backlog in, nothing else."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from types import TracebackType

import zenoh

from privcam_core.types.omega import Omega
from privcam_edge.link.omega_queue import OmegaQueue
from privcam_edge.link.packetizer import Sending
from privcam_edge.link.picture_schedule import PictureSchedule
from privcam_link import cdr
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import BacklogQuery, Header, PictureQuery, Query, key_expression, query_of

_log = logging.getLogger(__name__)

# One answer to a question for a backlog that says nothing of its size, as it is sent: most of a second on a slow line,
# for so long it delays what is live. The asker asks again.
BACKLOG_BYTES = 24 * 1024
# And no answer is more than this.
MOST_BYTES = 1024 * 1024
# Packed, Ω are at best this much smaller: so much of the queue is looked at for an answer.
_PACKED_TO = 8
# Live Ω overtake everything on a line that is full; pictures and the backlog take what is left.
LIVE, LATER = zenoh.Priority.REAL_TIME, zenoh.Priority.BACKGROUND


class EdgeLink:
    """Sends the Ω of one camera, and keeps them until the cloud has them. `send` never waits for the network.

    settings: of the Zenoh session (`endpoints.connect_settings` and `access_control` of `privcam_link`).
    queue, pictures: of this camera. Questions that are refused are counted in `refused`. Everything given to `send`
    must have passed the gate.
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
        self._sending = Sending(queue)
        self.sent = 0
        self.sent_bytes = 0
        self.answered = 0
        self._refused: Counter[Reason] = Counter()
        # Pictures and answers wait for the network; neither the graph nor a thread of Zenoh does.
        self._worker = ThreadPoolExecutor(1, "link")
        self._pieces: tuple[tuple[bytes, tuple[bytes, ...]], Header, bytes] | None = None  # of what was asked for last
        config = zenoh.Config()
        for name, value in settings.items():
            config.insert_json5(name, value)
        self._session = zenoh.open(config)
        self._transports = self._session.info.declare_transport_events_listener(self._note_transport, history=True)
        # Not express: on a line that is full, Ω share a batch instead of being dropped for want of another.
        self._publisher = self._session.declare_publisher(
            self._key, congestion_control=zenoh.CongestionControl.DROP, priority=LIVE
        )
        self._questions = [
            self._session.declare_queryable(self._key + kind.key, partial(self._take_question, kind))
            for kind in (PictureQuery, BacklogQuery)
        ]
        self._alive = self._session.liveliness().declare_token(self._key)

    @property
    def connected(self) -> bool:
        """Whether somebody is at the other end now."""
        # Asked for: the event that a transport is gone may come much later, with the next one's.
        return not self._session.is_closed() and bool(self._session.info.transports())

    @property
    def refused(self) -> Counter[Reason]:
        """Questions that were refused, by reason: a copy, since they come on threads of Zenoh."""
        return Counter(self._refused)

    def send(self, omega: Omega) -> bool:
        """Keep Ω, send it if anybody is connected, and return whether it was. `omega` comes with its PNG.

        Under congestion the network drops it, and the cloud asks for it later. Raises sqlite3.Error where it cannot be
        kept; then it was not sent either: what is sent has a number, and numbers are given by the queue.
        """
        row = self._queue.put(omega)
        if not self.connected:
            return False
        header, payload = self._sending.live(row)
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
        """Send the same Ω once more with its picture, behind everything that is more urgent."""
        if not self._pictures.due(omega.environment.digest):
            return
        made = self._pictures.make(omega.environment)
        if made is None:
            return  # too large for now: the cloud asks for it
        header, payload = self._sending.picture(n, omega, made)
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
            self._sending.start_over()

    def _take_question(self, kind: type[Query], query: zenoh.Query) -> None:
        if not self._session.is_closed():
            self._worker.submit(self._guarded, self._answer, query, kind)

    def _guarded(self, work: Callable[..., None], *arguments: object) -> None:
        """Run something on the worker. What goes wrong there is logged: nobody waits for the result."""
        try:
            work(*arguments)
        except Exception:
            if not self._session.is_closed():
                _log.exception("%s: %s failed", self._key, work.__name__.strip("_"))

    def _answer(self, query: zenoh.Query, kind: type[Query]) -> None:
        with query:
            try:
                rows = self._find(str(query.parameters), kind)
            except Rejected as rejection:
                with self._counting:
                    self._refused[rejection.reason] += 1
                    first = self._refused[rejection.reason] == 1
                _log.log(logging.WARNING if first else logging.DEBUG, "question refused: %s", rejection)
                query.reply_err(rejection.reason.value)
                return
            for header, payload in rows:
                attachment = header.encode()
                # It goes with the priority and congestion control of the question.
                query.reply(self._key + kind.key, payload, attachment=attachment)
                self.sent_bytes += len(payload) + len(attachment)
            with self._counting:
                self.answered += 1

    def _find(self, parameters: str, kind: type[Query]) -> list[tuple[Header, bytes]]:
        """Return the Ω that answer a question. kind: the one that is answered on the key on which it came."""
        question = query_of(parameters)
        if not isinstance(question, kind):
            raise Rejected(Reason.QUERY, f"query: {parameters[:200]!r} came on the key of another question")
        if isinstance(question, PictureQuery):
            return [self._picture(question)]
        if question.ack_ns > self._queue.newest_ns:
            raise Rejected(Reason.QUERY, f"query: {parameters[:200]!r} acknowledges what was never here")
        self._queue.acknowledge(question.consumer, question.ack_ns)
        if question.after_ns is None:
            return []
        self._sending.help_on()
        most = min(question.max_bytes or BACKLOG_BYTES, MOST_BYTES)
        return self._sending.backlog(self._queue.after(question.after_ns, max_bytes=_PACKED_TO * most), max_bytes=most)

    def _picture(self, question: PictureQuery) -> tuple[Header, bytes]:
        """Return the answer to a question for a picture, or the piece of it that is asked for.

        Whoever asks for pieces asks for one after the other: they are of one answer, as it was made for the first.
        """
        asked = question.digest, question.have
        if self._pieces is None or self._pieces[0] != asked or not question.offset:
            row = self._queue.picture(question.digest)
            if row is None:
                raise Rejected(Reason.UNKNOWN_PICTURE, f"no picture with digest {question.digest.hex()} is kept")
            omega = cdr.decode(row.payload)
            made = self._pictures.answer(omega.environment, question.have)
            self._pieces = asked, *self._sending.picture(row.n, omega, made)
        _, header, payload = self._pieces
        if not question.max_bytes:
            return header, payload
        if question.offset >= len(payload):
            raise Rejected(Reason.QUERY, f"query: byte {question.offset} of an answer of {len(payload)} bytes")
        piece = payload[question.offset : question.offset + min(question.max_bytes, MOST_BYTES)]
        return replace(header, offset=question.offset, total=len(payload)), piece
