"""A flood of queries does not fill the memory of the edge, and does not stop queries of the other kind."""

import socket
import threading
from pathlib import Path

import numpy as np
import zenoh

from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SyncKey, Verdict
from privcam_edge.link.omega_queue import OmegaQueue
from privcam_edge.link.picture_schedule import PictureSchedule
from privcam_edge.link.session import MAX_WAITING_QUERIES, EdgeLink
from privcam_link.endpoints import listen_settings
from privcam_link.session_settings import camera_end
from privcam_link.validation import Reason
from privcam_link.wire import BacklogQuery, PictureQuery, key_expression

HANG_LIMIT_S = 300.0
KEY = SyncKey("room1", 1, 10**18)
PICTURE = environment_of(KEY, encode_environment(np.full((8, 8, 3), 90, np.uint8), np.ones((8, 8), np.bool_)), 1)
Z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
OMEGA = Omega(KEY, PICTURE, [], Z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))
FLOOD = 5 * MAX_WAITING_QUERIES


class Ends:
    """Counts the replies to queries, and the queries that ended."""

    def __init__(self, session: zenoh.Session) -> None:
        self._session = session
        self._changed = threading.Condition()
        self.replies = 0
        self.ended = 0

    def ask(self, selector: str) -> None:
        callback = zenoh.handlers.Callback(self._take, self._end)
        self._session.get(f"{key_expression('room1')}{selector}", callback, timeout=HANG_LIMIT_S)

    def until(self, ended: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.ended >= ended, HANG_LIMIT_S), self.ended

    def _take(self, _reply: zenoh.Reply) -> None:
        self.replies += 1

    def _end(self) -> None:
        with self._changed:
            self.ended += 1
            self._changed.notify_all()


def test_queries_beyond_those_that_may_wait_are_refused_counted_and_stop_no_query_of_the_other_kind(
    tmp_path: Path,
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"tcp/127.0.0.1:{probe.getsockname()[1]}"
    config = zenoh.Config()
    for name, value in listen_settings(endpoint).items():
        config.insert_json5(name, value)
    queue, known, busy = OmegaQueue(tmp_path), threading.Event(), threading.Event()
    queue.put(OMEGA)
    with (
        zenoh.open(config) as session,
        EdgeLink("room1", camera_end("room1", endpoint)[0], queue, PictureSchedule()) as link,
        session.liveliness().declare_subscriber(key_expression("room1"), lambda _: known.set(), history=True),
    ):
        assert known.wait(HANG_LIMIT_S)
        pictures, backlog = Ends(session), Ends(session)
        link._worker.submit(busy.wait)  # as a slow line keeps it
        for _ in range(FLOOD):
            pictures.ask(f"?{PictureQuery(PICTURE.digest).encode()}")
        # What is refused ends at once, while the others wait.
        pictures.until(FLOOD - MAX_WAITING_QUERIES)
        assert link.refused == {Reason.RATE: FLOOD - MAX_WAITING_QUERIES}
        backlog.ask(f"/backlog?{BacklogQuery('cloud', 0, 0).encode()}")
        busy.set()
        pictures.until(FLOOD)
        backlog.until(1)
        assert (pictures.replies, backlog.replies) == (MAX_WAITING_QUERIES, 1)
        pictures.ask(f"?{PictureQuery(PICTURE.digest).encode()}")
        pictures.until(FLOOD + 1)
        assert pictures.replies == MAX_WAITING_QUERIES + 1, "the flood is over"
    queue.close()
