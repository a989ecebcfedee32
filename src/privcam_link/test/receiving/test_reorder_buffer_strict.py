"""The cloud refuses what no gate lets through, and keeps nothing large that it has not looked at."""

from dataclasses import replace

import numpy as np
import pytest
from backports import zstd

from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_link import cdr
from privcam_link.delta_compression import decompress
from privcam_link.receiving.clock_epochs import IN_STEP_NS
from privcam_link.receiving.reorder_buffer import ReorderBuffer
from privcam_link.validation import MAX_AHEAD_NS, Rejected
from privcam_link.wire import Header

NOW_NS = 1_700_000_000 * 10**9
QUEUE = "0123456789abcdef"


def omega(frame: int = 1, size: int = 8) -> Omega:
    key = SyncKey("room1", frame, NOW_NS + frame)
    png = encode_environment(np.full((size, size, 3), frame % 256, np.uint8), np.ones((size, size), bool))
    return Omega(
        key,
        environment_of(key, png, 1),
        [SubjectPose(1, (1.0, 2.0, 3.0, 4.0), np.full((17, 3), 0.5, np.float32))],
        Embedding("hog-1", (3,), 0.5, b"\x01\x02\x03", 0.25, 1.0),
        PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS),
    )


def header(n: int) -> Header:
    return Header(n, 0, QUEUE, n, 0)


def test_padding_that_is_not_zero_is_refused() -> None:
    payload = bytearray(cdr.encode(omega()))
    place = payload.index(b"room1\x00") + 6
    payload[place] = 1
    with pytest.raises(Rejected, match="field: payload"):
        ReorderBuffer("room1").put(header(1), bytes(payload))
    with pytest.raises(Rejected, match="field: payload"):
        ReorderBuffer("room1").put(header(1), cdr.encode(omega()) + b"x")


def test_key_from_the_future_is_refused_by_the_clock_of_the_cloud() -> None:
    buffer = ReorderBuffer("room1", now_ns=lambda: NOW_NS)
    with pytest.raises(Rejected, match="order: key"):
        buffer.put(header(1), cdr.encode(omega(MAX_AHEAD_NS + 1)))
    assert buffer.put(header(2), cdr.encode(omega(1))).live
    with pytest.raises(Rejected, match="order: key"):
        buffer.put(header(3), cdr.encode(omega(IN_STEP_NS + 2)))
    assert buffer.put(header(4), cdr.encode(omega(IN_STEP_NS))).live


def test_omega_that_wait_for_an_earlier_one_do_not_keep_their_pictures() -> None:
    buffer = ReorderBuffer("room1")
    buffer.record_from(0)
    reply = buffer.begin_reply(0)
    for frame in (3, 4, 5):
        buffer.put(header(frame), cdr.encode(omega(frame)))
    reply.take(header(1), cdr.encode(omega(1)))
    arrived = buffer.put(header(2), cdr.encode(omega(2)))
    assert [one.key.frame_id for one in arrived.recording] == [2, 3, 4, 5]
    assert [bool(one.environment.png) for one in arrived.recording[1:]] == [False] * 3


def test_frame_that_asks_for_a_large_window_is_refused_before_it_gets_one() -> None:
    reference, payload = bytes(range(256)) * 4, cdr.encode(replace(omega(), poses=[]))
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    made = zstd.ZstdCompressor(
        options=options, zstd_dict=zstd.ZstdDict(reference, is_raw=True).as_undigested_dict
    )  # fmt: skip
    with pytest.raises(Rejected, match=r"compression: .*memory"):
        decompress(made.compress(payload) + made.flush(), reference)
