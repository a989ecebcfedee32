"""The edge's end of the Zenoh link: Ω of one camera out, questions for a picture in, nothing else."""

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType

import zenoh
import zenoh.ext

from privcam_core import cdr
from privcam_core.checks import Reason, Rejected
from privcam_core.omega import Omega
from privcam_core.wire import (
    ATTACHMENT,
    DEFAULT_ENDPOINT,
    DIGEST_PARAMETER,
    LINK_SETTINGS,
    digest_of,
    key_expression,
    loopback_endpoint,
)

_log = logging.getLogger(__name__)

# Ω that a cloud which lost some can still fetch: about three seconds at 10 frames per second.
CACHED_SAMPLES = 32
# How soon a cloud learns that it lost the newest Ω when no other follows.
HEARTBEAT_S = 0.5
# Waiting time between attempts to connect: quick at first, then every two seconds.
_RETRY = {"period_init_ms": 200, "period_max_ms": 2000, "period_increase_factor": 2.0}

Answer = Callable[[bytes], Omega | None]
Change = Callable[[bool], None]


class EdgeLink:
    """Sends the Ω of one camera. Never waits for the network.

    endpoint: where the cloud listens. Until it can be reached the link keeps trying; what is sent meanwhile is counted
    in `unsent`, and only the newest CACHED_SAMPLES of it can still be fetched later.
    on_query: returns the Ω that holds the picture with a given SHA-256, or None. What is asked otherwise is refused and
    counted in `refused`. on_change: told whenever the link comes up or goes down. Both run on threads of Zenoh.
    Everything given to `send` or returned by `on_query` must have passed the gate.
    Raises ValueError for a malformed or non-loopback endpoint.
    """

    def __init__(
        self,
        camera_id: str,
        endpoint: str = DEFAULT_ENDPOINT,
        *,
        on_query: Answer | None = None,
        on_change: Change | None = None,
    ) -> None:
        self._key = key_expression(camera_id)
        self._camera_id = camera_id
        self._on_query = on_query
        self._on_change = on_change
        self._connected = threading.Event()
        self._counting = threading.Lock()
        self.sent = 0
        self.sent_bytes = 0
        self.unsent = 0
        self.answered = 0
        self._refused: Counter[Reason] = Counter()
        # A peer opens at once and connects in the background; a client would wait here for the first connection.
        # It listens to nothing.
        self._session = zenoh.open(_configuration(loopback_endpoint(endpoint)))
        self._transports = self._session.info.declare_transport_events_listener(self._note_transport, history=True)
        self._publisher = zenoh.ext.declare_advanced_publisher(
            self._session,
            self._key,
            congestion_control=zenoh.CongestionControl.DROP,
            cache=zenoh.ext.CacheConfig(
                max_samples=CACHED_SAMPLES,
                replies_config=zenoh.ext.RepliesConfig(congestion_control=zenoh.CongestionControl.DROP),
            ),
            sample_miss_detection=zenoh.ext.MissDetectionConfig(heartbeat=None, sporadic_heartbeat=HEARTBEAT_S),
            publisher_detection=True,
        )
        self._questions = self._session.declare_queryable(self._key, self._answer)

    @property
    def connected(self) -> bool:
        """Whether somebody is at the other end now."""
        return self._connected.is_set()

    @property
    def refused(self) -> Counter[Reason]:
        """Queries that were refused, by reason: a copy, since they come on threads of Zenoh."""
        return Counter(self._refused)

    def send(self, omega: Omega) -> bool:
        """Send Ω and return whether anybody was connected. Never blocks; under congestion the network drops it."""
        payload = cdr.encode(omega)
        connected = self.connected
        self._publisher.put(payload, attachment=ATTACHMENT)
        if connected:
            self.sent += 1
            self.sent_bytes += len(payload)
        else:
            self.unsent += 1
        return connected

    def close(self) -> None:
        """Leave the network. A second call does nothing."""
        if not self._session.is_closed():
            self._session.close()  # type: ignore[no-untyped-call]
            self._connected.clear()

    def __enter__(self) -> "EdgeLink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _note_transport(self, event: zenoh.TransportEvent) -> None:
        connected = event.kind == zenoh.SampleKind.PUT  # there is one endpoint, so at most one transport
        if connected == self._connected.is_set():
            return
        if connected:
            self._connected.set()
        else:
            self._connected.clear()
        if self._on_change is not None:
            self._on_change(connected)

    def _answer(self, query: zenoh.Query) -> None:
        with query:
            try:
                omega = self._find(query)
            except Rejected as rejection:
                with self._counting:
                    self._refused[rejection.reason] += 1
                    first = self._refused[rejection.reason] == 1
                _log.log(logging.WARNING if first else logging.DEBUG, "query refused: %s", rejection)
                query.reply_err(rejection.reason.value)
                return
            with self._counting:
                self.answered += 1
            query.reply(self._key, cdr.encode(omega), attachment=ATTACHMENT)

    def _find(self, query: zenoh.Query) -> Omega:
        digest = digest_of(query.parameters.get(DIGEST_PARAMETER))
        omega = self._on_query(digest) if self._on_query else None
        if omega is None or omega.key.camera_id != self._camera_id:
            raise Rejected(Reason.UNKNOWN_PICTURE, f"no picture with digest {digest.hex()} is kept")
        return omega


def _configuration(endpoint: str) -> zenoh.Config:
    config = zenoh.Config()
    config.insert_json5("mode", '"peer"')
    config.insert_json5("listen/endpoints", "[]")
    connect = {"endpoints": [endpoint], "timeout_ms": -1, "exit_on_failure": False, "retry": _RETRY}
    for name, value in connect.items():
        config.insert_json5(f"connect/{name}", json.dumps(value))
    for name, value in LINK_SETTINGS.items():
        config.insert_json5(name, value)
    return config
