"""That a connection is known by its address from the moment it comes, and never blamed for another's handshake."""

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


def test_the_table_of_connections_is_read_as_people_write_addresses(tmp_path: Path) -> None:
    tables = tmp_path / "tcp", tmp_path / "tcp6", tmp_path / "none"
    tables[0].write_text(TABLE, encoding="ascii")
    tables[1].write_text(TABLE_6, encoding="ascii")
    assert peers(7447, tables) == {"192.168.0.7:43468", "[2001:db8::1]:43468", "192.168.0.9:43469"}


def test_whoever_comes_to_a_listening_socket_is_known_before_it_says_anything() -> None:
    begun, seen = threading.Event(), threading.Event()

    class Told(HandshakeTracker):
        def came(self, connected: set[str]) -> None:
            super().came(connected)
            seen.set()

    arrivals = Told()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        threading.Thread(target=arrivals.follow, args=(listening_socket(port), begun.set), daemon=True).start()
        assert begun.wait(30)
        with socket.create_connection(("127.0.0.1", port)) as client:
            host, own_port = client.getsockname()
            assert seen.wait(30)
            assert arrivals.failed() == f"{host}:{own_port}"
            assert arrivals.failed() == GONE


def test_a_port_nobody_listens_on_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OSError, match=f"does not listen on TCP port {port}"):
        listening_socket(port)


def test_handshakes_fail_in_the_order_in_which_they_began() -> None:
    arrivals = HandshakeTracker()
    arrivals.came({"a:1"})
    arrivals.came({"a:1", "b:2"})
    arrivals.came({"a:1", "b:2"})  # somebody who was gone when the table was read
    arrivals.came({"b:2", "c:3"})
    assert arrivals.failed() == "a:1"
    arrivals.accepted("b:2")
    assert [arrivals.failed() for _ in range(3)] == [GONE, "c:3", GONE]


def test_a_handshake_may_end_before_its_address_is_known() -> None:
    arrivals = HandshakeTracker()
    arrivals.accepted("a:1")
    arrivals.came({"a:1"})
    arrivals.came({"a:1", "b:2"})
    assert arrivals.failed() == "b:2"


def test_who_was_seen_together_with_another_is_not_waited_for_again() -> None:
    arrivals = HandshakeTracker()
    arrivals.came({"a:1", "b:2"})
    arrivals.came({"a:1", "b:2"})  # woken for b, whom we know
    arrivals.accepted("a:1")
    arrivals.accepted("b:2")
    arrivals.came({"c:3"})
    assert arrivals.failed() == "c:3"


def test_nobody_is_blamed_for_one_who_came_long_before_or_was_never_told_of() -> None:
    now = [0.0]
    arrivals = HandshakeTracker(lambda: now[0])
    arrivals.came({"a:1"})
    arrivals.came({"a:1"})
    arrivals.came({"a:1", "b:2"})
    arrivals.accepted("b:2")  # so both before have ended
    arrivals.came({"c:3"})
    assert arrivals.failed() == "c:3"
    arrivals.came({"d:4"})
    now[0] = 60.0
    arrivals.came({"e:5"})
    assert arrivals.failed() == "e:5"


def test_two_who_came_at_one_moment_are_both_named() -> None:
    arrivals = HandshakeTracker()
    arrivals.came({"a:1", "b:2", "c:3"})
    arrivals.accepted("b:2")
    assert [arrivals.failed() for _ in range(3)] == ["a:1 or c:3", "a:1 or c:3", GONE]
