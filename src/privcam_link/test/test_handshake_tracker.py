"""Failed handshakes are reported with the address of the peer, and never with that of another peer."""

import socket
import threading
from pathlib import Path

import pytest

from privcam_link.denials.handshake_tracker import GONE, HandshakeTracker, listening_socket, peers

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1D17 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0200A8C0:1D17 0700A8C0:A9CC 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 0200A8C0:1D18 0800A8C0:A9CC 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
"""
TABLE_6 = """  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1D17 B80D0120000000000000000001000000:A9CC 01 0:0 0:0 0 0 0 2 1 0 100
   1: 00000000000000000000000000000000:1D17 0000000000000000FFFF00000900A8C0:A9CD 01 0:0 0:0 0 0 0 2 1 0 100
"""


def test_addresses_in_the_table_of_connections_are_converted_to_the_usual_notation(tmp_path: Path) -> None:
    tables = tmp_path / "tcp", tmp_path / "tcp6", tmp_path / "none"
    tables[0].write_text(TABLE, encoding="ascii")
    tables[1].write_text(TABLE_6, encoding="ascii")
    assert peers(7447, tables) == {"192.168.0.7:43468", "[2001:db8::1]:43468", "192.168.0.9:43469"}


def test_peer_of_a_listening_socket_is_registered_before_its_first_message() -> None:
    started, seen = threading.Event(), threading.Event()

    class Observed(HandshakeTracker):
        def update(self, connected: set[str]) -> None:
            super().update(connected)
            seen.set()

    tracker = Observed()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        threading.Thread(target=tracker.run, args=(listening_socket(port), started.set), daemon=True).start()
        assert started.wait(300)
        with socket.create_connection(("127.0.0.1", port)) as client:
            host, own_port = client.getsockname()
            assert seen.wait(300)
            assert tracker.failed() == f"{host}:{own_port}"
            assert tracker.failed() == GONE


def test_port_without_a_listener_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OSError, match=f"does not listen on TCP port {port}"):
        listening_socket(port)


def test_handshakes_fail_in_the_order_in_which_they_began() -> None:
    tracker = HandshakeTracker()
    tracker.update({"a:1"})
    tracker.update({"a:1", "b:2"})
    tracker.update({"a:1", "b:2"})  # a peer that had disconnected when the table was read
    tracker.update({"b:2", "c:3"})
    assert tracker.failed() == "a:1"
    tracker.accepted("b:2")
    assert [tracker.failed() for _ in range(3)] == [GONE, "c:3", GONE]


def test_a_handshake_may_end_before_its_address_is_known() -> None:
    tracker = HandshakeTracker()
    tracker.accepted("a:1")
    tracker.update({"a:1"})
    tracker.update({"a:1", "b:2"})
    assert tracker.failed() == "b:2"


def test_peer_that_was_registered_together_with_another_is_registered_once() -> None:
    tracker = HandshakeTracker()
    tracker.update({"a:1", "b:2"})
    tracker.update({"a:1", "b:2"})  # the wake-up for b, which is registered
    tracker.accepted("a:1")
    tracker.accepted("b:2")
    tracker.update({"c:3"})
    assert tracker.failed() == "c:3"


def test_failure_is_not_attributed_to_an_expired_or_finished_handshake() -> None:
    now = [0.0]
    tracker = HandshakeTracker(lambda: now[0])
    tracker.update({"a:1"})
    tracker.update({"a:1"})
    tracker.update({"a:1", "b:2"})
    tracker.accepted("b:2")  # so the handshakes of both earlier peers have ended
    tracker.update({"c:3"})
    assert tracker.failed() == "c:3"
    tracker.update({"d:4"})
    now[0] = 60.0
    tracker.update({"e:5"})
    assert tracker.failed() == "e:5"


def test_peers_that_connected_at_one_moment_are_all_named() -> None:
    tracker = HandshakeTracker()
    tracker.update({"a:1", "b:2", "c:3"})
    tracker.accepted("b:2")
    assert [tracker.failed() for _ in range(3)] == ["a:1 or c:3", "a:1 or c:3", GONE]
