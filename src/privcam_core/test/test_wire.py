"""What both ends agree on before a byte of Ω is read."""

import pytest

from privcam_core.checks import Reason, Rejected, follows
from privcam_core.omega import SyncKey
from privcam_core.wire import (
    ALL_CAMERAS,
    ATTACHMENT,
    camera_of,
    check_attachment,
    digest_of,
    key_expression,
    loopback_endpoint,
)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("tcp/127.0.0.1:7447", "tcp/127.0.0.1:7447"),
        ("tcp/127.8.9.1:1", "tcp/127.8.9.1:1"),
        ("tcp/localhost:65535", "tcp/127.0.0.1:65535"),
        ("tcp/[::1]:7447", "tcp/[::1]:7447"),
    ],
)
def test_loopback_endpoint_is_taken(text: str, endpoint: str) -> None:
    assert loopback_endpoint(text) == endpoint


@pytest.mark.parametrize(
    "text",
    ["tcp/0.0.0.0:7447", "tcp/192.168.1.4:7447", "tcp/[::]:7447", "tcp/[2001:db8::1]:7447", "tcp/cloud.example:7447"],
)
def test_endpoint_that_others_can_reach_is_refused_and_says_that_tls_is_missing(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a loopback address.*TLS") as error:
        loopback_endpoint(text)
    assert text in str(error.value)


@pytest.mark.parametrize("text", ["tls/127.0.0.1:7447", "udp/127.0.0.1:7447", "quic/127.0.0.1:7447"])
def test_other_protocol_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="only tcp on the loopback"):
        loopback_endpoint(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:7447",
        "tcp/127.0.0.1",
        "tcp/127.0.0.1:0",
        "tcp/127.0.0.1:65536",
        "tcp//127.0.0.1:7447",
        "tcp/127.0.0.1:7447#iface=eth0",
        "tcp/127.0.0.1:7447;tcp/10.0.0.1:1",
        "tcp/127.0.0.1:7447\n",
        "tcp/[::1:7447",
    ],
)
def test_malformed_endpoint_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"for example tcp/127\.0\.0\.1:7447"):
        loopback_endpoint(text)


def test_key_names_its_camera() -> None:
    assert key_expression("room_1") == "privcam/room_1/omega"
    assert camera_of("privcam/room_1/omega") == "room_1"


@pytest.mark.parametrize("camera_id", ["", "*", "room1/**", "Room", "a" * 65])
def test_key_of_no_camera_is_not_made(camera_id: str) -> None:
    with pytest.raises(ValueError, match="camera_id"):
        key_expression(camera_id)


@pytest.mark.parametrize(
    "key", [ALL_CAMERAS, "privcam/omega", "privcam/room1/frames", "privcam/a/b/omega", "x/a/omega"]
)
def test_other_key_is_rejected(key: str) -> None:
    with pytest.raises(Rejected) as rejection:
        camera_of(key)
    assert rejection.value.reason == Reason.CAMERA


def test_own_attachment_is_taken() -> None:
    check_attachment(ATTACHMENT)


@pytest.mark.parametrize(
    ("attachment", "reason"),
    [
        (None, Reason.TYPE),
        (b"", Reason.TYPE),
        (b"\xff\x00", Reason.TYPE),
        (ATTACHMENT + b";more=1", Reason.TYPE),
        (ATTACHMENT + b"\n", Reason.TYPE),
        (ATTACHMENT * 1000, Reason.TYPE),
        (ATTACHMENT.replace(b"privcam_msgs/msg/Omega", b"sensor_msgs/msg/Image"), Reason.TYPE),
        (ATTACHMENT.replace(b"RIHS01_", b"RIHS01_0"), Reason.TYPE),
        (ATTACHMENT.replace(b"schema=1", b"schema=2"), Reason.SCHEMA),
    ],
)
def test_other_attachment_is_rejected(attachment: bytes | None, reason: Reason) -> None:
    with pytest.raises(Rejected) as rejection:
        check_attachment(attachment)
    assert rejection.value.reason == reason


def test_digest_of_a_question_is_read() -> None:
    assert digest_of("0a" * 32) == b"\x0a" * 32


@pytest.mark.parametrize("text", [None, "", "0a" * 31, "0A" * 32, "0g" * 32, "0a" * 32 + "\n", "*"])
def test_question_for_anything_else_is_rejected(text: str | None) -> None:
    with pytest.raises(Rejected) as rejection:
        digest_of(text)
    assert rejection.value.reason == Reason.DIGEST


@pytest.mark.parametrize(
    ("frame_id", "stamp_ns", "after"),
    [
        (6, 600, True),
        (9, 501, True),
        (1, 501, True),
        (5, 500, False),
        (6, 500, False),
        (6, 400, False),
        (5, 501, False),
    ],
)
def test_order_of_keys(frame_id: int, stamp_ns: int, after: bool) -> None:
    assert follows(SyncKey("a", frame_id, stamp_ns), SyncKey("a", 5, 500)) is after
