"""The cloud's end of the Zenoh link: whatever arrives is somebody's bytes until it is a checked Ω."""

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType

import zenoh
import zenoh.ext

from privcam_core import cdr
from privcam_core.checks import Reason, Rejected, open_environment, reason_of, require_publishable
from privcam_core.omega import InvalidOmega, Omega
from privcam_core.wire import (
    ALL_CAMERAS,
    DEFAULT_ENDPOINT,
    DIGEST_PARAMETER,
    LINK_SETTINGS,
    camera_of,
    check_attachment,
    key_expression,
    loopback_endpoint,
)

_log = logging.getLogger(__name__)

# An edge that does not answer in this time is asked again by whoever needs the picture.
_ANSWER_TIMEOUT_S = 5.0


class CloudLink:
    """Receives the Ω of all cameras and asks edges for pictures.

    listen: the endpoint that edges connect to. on_omega is called with every Ω that passes the checks, live or as the
    answer to `request`, one at a time, on a thread of Zenoh. What does not pass is counted in `rejected`, and the first
    of each reason is logged as a warning.
    Raises ValueError for a malformed or non-loopback endpoint, OSError where nothing can listen there.
    """

    def __init__(self, listen: str = DEFAULT_ENDPOINT, *, on_omega: Callable[[Omega], None]) -> None:
        self._on_omega = on_omega
        self._one_at_a_time = threading.Lock()
        self.received = 0
        self.received_bytes = 0
        self.missed = 0
        self._rejected: Counter[Reason] = Counter()
        endpoint = loopback_endpoint(listen)
        try:
            self._session = zenoh.open(_configuration(endpoint))
        except zenoh.ZError as error:
            raise OSError(f"endpoint: cannot listen on {endpoint}: {error}; is another cloud running?") from error
        self._subscriber = zenoh.ext.declare_advanced_subscriber(
            self._session,
            ALL_CAMERAS,
            self._take,
            history=zenoh.ext.HistoryConfig(detect_late_publishers=True, max_samples=1),
            recovery=zenoh.ext.RecoveryConfig(periodic_queries=None, heartbeat=True),
        )
        self._misses = self._subscriber.sample_miss_listener(self._count_missed)

    @property
    def edges(self) -> int:
        """Number of edges that are connected now."""
        return 0 if self._session.is_closed() else len(self._session.info.transports())

    @property
    def rejected(self) -> Counter[Reason]:
        """What did not pass, by reason: a copy, since it comes on threads of Zenoh."""
        return Counter(self._rejected)

    def request(self, camera_id: str, digest: bytes) -> None:
        """Ask the edge for the picture with this SHA-256. Does not wait: the answer comes to `on_omega`."""
        if self._session.is_closed():
            return
        self._session.get(
            f"{key_expression(camera_id)}?{DIGEST_PARAMETER}={digest.hex()}",
            self._take_reply,
            congestion_control=zenoh.CongestionControl.DROP,
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

    def _take_reply(self, reply: zenoh.Reply) -> None:
        if reply.ok is not None:
            self._take(reply.ok)

    def _take(self, sample: zenoh.Sample) -> None:
        with self._one_at_a_time:
            try:
                omega = _check(sample)
            except Rejected as rejection:
                self._rejected[rejection.reason] += 1
                first = self._rejected[rejection.reason] == 1
                _log.log(logging.WARNING if first else logging.DEBUG, "%s refused: %s", sample.key_expr, rejection)
                return
            self.received += 1
            self.received_bytes += len(sample.payload)
            self._on_omega(omega)

    def _count_missed(self, miss: zenoh.ext.Miss) -> None:
        self.missed += miss.nb


def _check(sample: zenoh.Sample) -> Omega:
    """Return the Ω in a sample. Raises Rejected unless it is what the edge's gate lets through."""
    camera_id = camera_of(str(sample.key_expr))
    if sample.kind != zenoh.SampleKind.PUT:
        raise Rejected(Reason.TYPE, "is not a put")
    check_attachment(None if sample.attachment is None else sample.attachment.to_bytes())
    if len(sample.payload) > cdr.MAX_OMEGA_BYTES:
        raise Rejected(Reason.TOO_LARGE, f"payload: {len(sample.payload)} bytes, limit {cdr.MAX_OMEGA_BYTES}")
    try:
        omega = cdr.decode(sample.payload.to_bytes())
        if omega.environment.png:
            open_environment(omega.environment)
    except InvalidOmega as error:
        raise Rejected(reason_of(error), str(error)) from error
    require_publishable(omega)
    if omega.key.camera_id != camera_id:
        raise Rejected(Reason.CAMERA, f"key.camera_id: {omega.key.camera_id}, came on the key of {camera_id}")
    return omega


def _configuration(endpoint: str) -> zenoh.Config:
    config = zenoh.Config()
    config.insert_json5("mode", '"peer"')
    config.insert_json5("listen/endpoints", json.dumps([endpoint]))
    for name, value in LINK_SETTINGS.items():
        config.insert_json5(name, value)
    return config
