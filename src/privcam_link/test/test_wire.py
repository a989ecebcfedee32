"""What both ends agree on before a byte of Ω is read."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privcam_core.types.omega import SyncKey
from privcam_link.endpoints import check_endpoint, connect_settings, listen_settings
from privcam_link.validation import Reason, Rejected, follows
from privcam_link.wire import (
    ALL_CAMERAS,
    MAX_HAVE,
    TYPE_HASH,
    BacklogQuery,
    Header,
    PictureQuery,
    Query,
    camera_of,
    header_of,
    key_expression,
    query_of,
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
def test_loopback_endpoint_is_taken_without_credentials(text: str, endpoint: str) -> None:
    assert check_endpoint(text, secured=False) == endpoint


@pytest.mark.parametrize(
    "text",
    ["tcp/0.0.0.0:7447", "tcp/192.168.1.4:7447", "tcp/[::]:7447", "tcp/[2001:db8::1]:7447", "tcp/cloud.example:7447"],
)
def test_endpoint_that_others_can_reach_is_refused_and_says_that_tls_is_missing(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a loopback address.*TLS") as error:
        check_endpoint(text, secured=False)
    assert text in str(error.value)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("tls/127.0.0.1:7447", "tls/127.0.0.1:7447"),
        ("tls/0.0.0.0:7447", "tls/0.0.0.0:7447"),
        ("tls/192.168.1.4:7447", "tls/192.168.1.4:7447"),
        ("tls/cloud.example:7447", "tls/cloud.example:7447"),
        ("tls/[2001:db8::1]:7447", "tls/[2001:db8::1]:7447"),
        ("tls/localhost:7447", "tls/localhost:7447"),
    ],
)
def test_tls_endpoint_is_taken_with_credentials_and_never_without(text: str, endpoint: str) -> None:
    assert check_endpoint(text, secured=True) == endpoint
    with pytest.raises(ValueError, match=r"needs certificates.*privcam keys"):
        check_endpoint(text, secured=False)


@pytest.mark.parametrize("text", ["tcp/127.0.0.1:7447", "tcp/192.168.1.4:7447", "tcp/cloud.example:7447"])
def test_with_credentials_nothing_goes_unencrypted(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not encrypted.*tls/"):
        check_endpoint(text, secured=True)


@pytest.mark.parametrize("secured", [False, True])
@pytest.mark.parametrize("text", ["udp/127.0.0.1:7447", "quic/127.0.0.1:7447"])
def test_other_protocol_is_refused(text: str, secured: bool) -> None:
    with pytest.raises(ValueError, match="only tcp on the loopback and tls"):
        check_endpoint(text, secured=secured)


@pytest.mark.parametrize("secured", [False, True])
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
def test_malformed_endpoint_is_refused_with_an_example(text: str, secured: bool) -> None:
    with pytest.raises(ValueError, match=r"for example tcp/127\.0\.0\.1:7447"):
        check_endpoint(text, secured=secured)


def test_edge_connects_for_ever_and_listens_nowhere_and_the_cloud_the_other_way_round() -> None:
    edge, cloud = connect_settings(["tcp/127.0.0.1:1", "tcp/127.0.0.1:2"]), listen_settings("tcp/127.0.0.1:1")
    assert json.loads(edge["connect/endpoints"]) == ["tcp/127.0.0.1:1", "tcp/127.0.0.1:2"]
    assert (edge["listen/endpoints"], edge["connect/timeout_ms"]) == ("[]", "-1")
    assert json.loads(cloud["listen/endpoints"]) == ["tcp/127.0.0.1:1"]
    assert "connect/endpoints" not in cloud
    for settings in (edge, cloud):
        assert settings["scouting/multicast/enabled"] == settings["scouting/gossip/enabled"] == "false"
        assert settings["transport/shared_memory/enabled"] == "false"


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


QUEUE = "0123456789abcdef"
PLAIN, PACKED = Header(7, 0, QUEUE, 9, 2), Header(7, 5)
PIECE = Header(7, 0, QUEUE, 9, 2, 40, 50)
ATTACHMENT = PLAIN.encode()


@pytest.mark.parametrize("header", [PLAIN, PACKED, PIECE, Header(1, 0, QUEUE, 1, 0), Header(2, 1)])
def test_header_comes_back_from_its_attachment(header: Header) -> None:
    assert header_of(header.encode()) == header


def test_plain_header_announces_the_message_and_a_packed_one_is_a_few_bytes() -> None:
    text = f"type=privcam_msgs/msg/Omega;hash={TYPE_HASH};schema=5;queue={QUEUE};n=7;newest=9;lost=2"
    assert text.encode() == ATTACHMENT
    assert PACKED.encode() == b"n=7;ref=5"


@pytest.mark.parametrize(
    ("attachment", "reason"),
    [
        (None, Reason.TYPE),
        (b"", Reason.TYPE),
        (b"\xff\x00", Reason.TYPE),
        (ATTACHMENT + b";more=1", Reason.TYPE),
        (ATTACHMENT + b"\n", Reason.TYPE),
        (ATTACHMENT * 1000, Reason.TYPE),
        (ATTACHMENT + b";n=7", Reason.TYPE),
        (ATTACHMENT.replace(b"privcam_msgs/msg/Omega", b"sensor_msgs/msg/Image"), Reason.TYPE),
        (ATTACHMENT.replace(b"RIHS01_", b"RIHS01_0"), Reason.TYPE),
        (ATTACHMENT.replace(b"schema=5", b"schema=4"), Reason.SCHEMA),
        (ATTACHMENT.replace(QUEUE.encode(), b"0123456789ABCDEF"), Reason.TYPE),
        (ATTACHMENT.replace(QUEUE.encode(), b"0123"), Reason.TYPE),
        (ATTACHMENT.replace(b";n=7", b""), Reason.TYPE),
        (ATTACHMENT.replace(b";n=7", b";n=0"), Reason.TYPE),
        (ATTACHMENT.replace(b";n=7", b";n=10"), Reason.TYPE),
        (ATTACHMENT.replace(b";n=7", b";n=07"), Reason.TYPE),
        (ATTACHMENT.replace(b";n=7", b";n=-7"), Reason.TYPE),
        (ATTACHMENT.replace(b"lost=2", b"lost=2e3"), Reason.TYPE),
        (ATTACHMENT.replace(b"lost=2", b"lost=" + b"9" * 20), Reason.TYPE),
        (ATTACHMENT + b";offset=0", Reason.TYPE),
        (ATTACHMENT + b";total=1;offset=0", Reason.TYPE),
        (ATTACHMENT + b";offset=5;total=5", Reason.TYPE),
        (ATTACHMENT + b";offset=0;total=0", Reason.TYPE),
        (ATTACHMENT + b";offset=0;total=99999999", Reason.TYPE),
        (b"n=7;ref=7", Reason.TYPE),
        (b"n=7;ref=8", Reason.TYPE),
        (b"n=7;ref=0", Reason.TYPE),
        (b"ref=5;n=7", Reason.TYPE),
        (b"n=7", Reason.TYPE),
        (b"n=7;ref=5;queue=" + QUEUE.encode(), Reason.TYPE),
        ("n=٧;ref=5".encode(), Reason.TYPE),
    ],
)
def test_other_attachment_is_rejected(attachment: bytes | None, reason: Reason) -> None:
    with pytest.raises(Rejected) as rejection:
        header_of(attachment)
    assert rejection.value.reason == reason


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda data: ATTACHMENT[:-40] + data))
def test_arbitrary_attachment_is_rejected_or_a_label(data: bytes) -> None:
    try:
        header = header_of(data)
    except Rejected as rejection:
        assert rejection.reason in (Reason.TYPE, Reason.SCHEMA)
    else:
        assert header.encode() == data


DIGEST, OTHER = b"\x0a" * 32, b"\xff" * 32


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (PictureQuery(DIGEST), f"digest={'0a' * 32}"),
        (PictureQuery(DIGEST, (OTHER, DIGEST)), f"digest={'0a' * 32};have={'ff' * 32},{'0a' * 32}"),
        (PictureQuery(DIGEST, offset=7, max_bytes=8), f"digest={'0a' * 32};offset=7;max_bytes=8"),
        (PictureQuery(DIGEST, (OTHER,), 0, 1), f"digest={'0a' * 32};have={'ff' * 32};offset=0;max_bytes=1"),
        (BacklogQuery("cloud", 0), "consumer=cloud;ack=0"),
        (BacklogQuery("cloud", 3, 5, 4096), "consumer=cloud;ack=3;after=5;max_bytes=4096"),
        (BacklogQuery("ward_2", 17, 0), "consumer=ward_2;ack=17;after=0"),
        (BacklogQuery("c" * 64, 10**18, 10**18 + 1), f"consumer={'c' * 64};ack={10**18};after={10**18 + 1}"),
    ],
)
def test_query_is_written_and_read(query: Query, text: str) -> None:
    assert query.encode() == text
    assert query_of(text) == query


def test_no_more_pictures_are_named_than_may_be() -> None:
    many = PictureQuery(DIGEST, tuple(bytes([n]) * 32 for n in range(MAX_HAVE + 1)))
    assert query_of(many.encode()) == replace(many, have=many.have[:MAX_HAVE])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "anything",
        f"digest={'0a' * 31}",
        f"digest={'0A' * 32}",
        f"digest={'0g' * 32}",
        f"digest={'0a' * 32}\n",
        f"digest={'0a' * 32};digest={'0a' * 32}",
        f"digest={'0a' * 32};more=1",
        f"digest={'0a' * 32};have=",
        f"digest={'0a' * 32};have={'0a' * 32},",
        f"digest={'0a' * 32};have={','.join(['0a' * 32] * (MAX_HAVE + 1))}",
        f"have={'0a' * 32}",
        f"digest={'0a' * 32};offset=0",
        f"digest={'0a' * 32};offset=0;max_bytes=0",
        f"digest={'0a' * 32};max_bytes=1;offset=0",
        f"digest={'0a' * 32};offset=-1;max_bytes=1",
        "consumer=cloud;ack=0;max_bytes=1",
        "consumer=cloud;ack=0;after=0;max_bytes=0",
        f"have={'0a' * 32};digest={'0a' * 32}",
        f"digest={'0a' * 32};consumer=cloud;ack=0",
        "digest=../../etc",
        "consumer=cloud",
        "consumer=;ack=0",
        "consumer=Cloud;ack=0",
        "consumer=a b;ack=0",
        f"consumer={'c' * 65};ack=0",
        "consumer=cloud;ack=",
        "consumer=cloud;ack=-1",
        "consumer=cloud;ack=0x1",
        f"consumer=cloud;ack={'9' * 20}",
        "consumer=cloud;ack=0;after=",
        "consumer=cloud;after=0;ack=0",
        "x=" + "y" * 2000,
    ],
)
def test_query_for_anything_else_is_rejected(text: str) -> None:
    with pytest.raises(Rejected) as rejection:
        query_of(text)
    assert rejection.value.reason == Reason.QUERY


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
