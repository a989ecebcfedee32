"""Sockets that other hosts can reach are found by what the kernel says of them."""

import os
import socket

import pytest

from privcam_ros.middleware.listening_sockets import listening_beyond_loopback


@pytest.mark.parametrize(
    ("kind", "address", "reached"),
    [
        (socket.SOCK_STREAM, "0.0.0.0", True),
        (socket.SOCK_STREAM, "127.0.0.1", False),
        (socket.SOCK_STREAM, "127.8.0.1", False),
        (socket.SOCK_STREAM, "::", True),
        (socket.SOCK_STREAM, "::1", False),
        (socket.SOCK_STREAM, "::ffff:127.0.0.1", False),
        (socket.SOCK_DGRAM, "0.0.0.0", True),
        (socket.SOCK_DGRAM, "127.0.0.1", False),
    ],
)
def test_socket_that_other_hosts_reach_is_found(kind: socket.SocketKind, address: str, reached: bool) -> None:
    before = set(listening_beyond_loopback())
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as door:
        # Below the ports that the kernel gives.
        port = next(number for number in range(20000 + os.getpid() % 9000, 32000) if _binds(door, address, number))
        if kind == socket.SOCK_STREAM:
            door.listen()
        new = set(listening_beyond_loopback()) - before
    assert [one for one in new if one.endswith(f":{port}")] == sorted(new)
    assert bool(new) == reached


def _binds(door: socket.socket, address: str, port: int) -> bool:
    try:
        door.bind((address, port))
    except OSError:
        return False
    return True
