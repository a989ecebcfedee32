"""The cloud's end of the Zenoh link: whatever arrives is somebody's bytes until it is a checked Ω."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol

import zenoh
from zenoh.handlers import Callback

from privcam_link import cdr
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import (
    ALL_CAMERAS,
    Header,
    Query,
    camera_of,
    key_expression,
    header_of,
)

_log = logging.getLogger(__name__)

# A picture may take this long on a slow line; a dead line is noticed sooner, and ends a question too.
_ANSWER_TIMEOUT_S = 30.0

Take = Callable[[Header, bytes], None]


class Receiver(Protocol):
    """Takes what comes, on threads of Zenoh. `put` and a question's `take` may raise Rejected."""

    def put(self, camera_id: str, header: Header, payload: bytes) -> None:
        """Take an Ω that a camera put."""

    def alive(self, camera_id: str, alive: bool) -> None:
        """Take note that the edge of a camera came, or went."""


class CloudLink:
    """Receives the Ω of cameras and asks their edges questions.

    settings: of the Zenoh session (`endpoints.listen_settings` and `access_control` of `privcam_link`).
    What does not pass is counted in `rejected`, and the first of each reason is logged as a warning with where it came
    from. Raises OSError where nothing can listen.
    """

    def __init__(self, settings: Mapping[str, str], receiver: Receiver) -> None:
        self._receiver = receiver
        self._counting = threading.Lock()
        self.received = 0
        self.received_bytes = 0
        self._rejected: Counter[Reason] = Counter()
        config = zenoh.Config()
        for name, value in settings.items():
            config.insert_json5(name, value)
        try:
            self._session = zenoh.open(config)
        except zenoh.ZError as error:
            raise OSError(
                f"endpoint: cannot listen on {settings.get('listen/endpoints')}: {error}; is another cloud running?"
            ) from error
        self._subscriber = self._session.declare_subscriber(ALL_CAMERAS, self._take_put)
        self._tokens = self._session.liveliness().declare_subscriber(ALL_CAMERAS, self._take_token, history=True)

    @property
    def edges(self) -> int:
        """Number of edges and viewers that are connected now."""
        return 0 if self._session.is_closed() else len(self._session.info.transports())

    @property
    def rejected(self) -> Counter[Reason]:
        """What did not pass, by reason: a copy, since it comes on threads of Zenoh."""
        return Counter(self._rejected)

    def ask(self, camera_id: str, question: Query, take: Take, ended: Callable[[], None]) -> None:
        """Ask the edge of a camera. Does not wait.

        take: called with every Ω of the answer, in order. ended: when nothing more comes, whatever came. Both are
        called on threads of Zenoh.
        """

        def reply(reply: zenoh.Reply) -> None:
            if reply.ok is not None:
                self._checked(reply.ok, lambda _camera, header, payload: take(header, payload))

        if self._session.is_closed():
            return
        self._session.get(
            f"{key_expression(camera_id)}{question.key}?{question.encode()}",
            Callback(reply, ended),
            # Several Ω on one key are one answer, not newer versions of one value.
            consolidation=zenoh.ConsolidationMode.NONE,
            priority=zenoh.Priority.BACKGROUND,
            # Questions are small and few: this waits only where the line is about to be given up.
            congestion_control=zenoh.CongestionControl.BLOCK,
            timeout=_ANSWER_TIMEOUT_S,
        )

    def close(self) -> None:
        """Stop listening. A second call does nothing."""
        if not self._session.is_closed():
            self._session.close()  # type: ignore[no-untyped-call]

    def __enter__(self) -> "CloudLink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_put(self, sample: zenoh.Sample) -> None:
        self._checked(sample, self._receiver.put)

    def _checked(self, sample: zenoh.Sample, take: Callable[[str, Header, bytes], None]) -> None:
        """Hand on what is announced as an Ω of the camera whose key it came on; count and log what is not one."""
        size = len(sample.payload)
        attachment = None if sample.attachment is None else sample.attachment.to_bytes()
        try:
            camera_id = camera_of(str(sample.key_expr))
            if sample.kind != zenoh.SampleKind.PUT:
                raise Rejected(Reason.TYPE, "is not a put")
            if size > cdr.MAX_OMEGA_BYTES:
                raise Rejected(Reason.TOO_LARGE, f"payload: {size} bytes, limit {cdr.MAX_OMEGA_BYTES}")
            take(camera_id, header_of(attachment), sample.payload.to_bytes())
        except Rejected as rejection:
            with self._counting:
                self._rejected[rejection.reason] += 1
                first = self._rejected[rejection.reason] == 1
            _log.log(logging.WARNING if first else logging.DEBUG, "%s refused: %s", sample.key_expr, rejection)
            return
        with self._counting:
            self.received += 1
            self.received_bytes += size + len(attachment or b"")

    def _take_token(self, sample: zenoh.Sample) -> None:
        try:
            camera_id = camera_of(str(sample.key_expr))
        except Rejected as rejection:
            _log.warning("a liveliness token on %s is no camera's: %s", sample.key_expr, rejection)
            return
        self._receiver.alive(camera_id, sample.kind == zenoh.SampleKind.PUT)
