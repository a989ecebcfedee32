"""Ω packed against another one comes back as it was, or not at all."""

import numpy as np
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from privcam_core.types.omega import Embedding, Environment, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_link import cdr
from privcam_link.cdr import MAX_BARE_BYTES
from privcam_link.delta_compression import MAX_REFERENCES, ReferencePayloads, compress, decompress
from privcam_link.validation import Reason, Rejected


def payload(frame: int, people: int = 2) -> bytes:
    """A plain Ω in which people move a little from frame to frame; z changes altogether."""
    key = SyncKey("room1", frame, 10**18 + frame * 10**8)
    poses = [
        SubjectPose(
            n + 1, (10.0 + n, 20.0, 60.0 + n, 120.0), np.full((17, 3), 0.5 + frame % 3 / 8, np.float32), None, n
        )
        for n in range(people)
    ]
    data = np.random.default_rng(frame).integers(0, 4, 400, np.uint8).tobytes()
    environment = Environment(key, b"", bytes(range(32)), 480, 640, 0.5, 1)
    z = Embedding("hog-1", (400,), 0.5, data, 0.25, 1.0)
    return cdr.encode(Omega(key, environment, poses, z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS)))


@settings(deadline=None)
@given(st.binary(max_size=2000), st.binary(min_size=8, max_size=2000))
def test_any_payload_comes_back_with_its_reference(data: bytes, reference: bytes) -> None:
    assert decompress(compress(data, reference), reference) == data


@settings(deadline=None)
@given(st.integers(1, 1000), st.integers(0, 4), st.integers(1, 64))
def test_omega_comes_back_with_an_earlier_one(frame: int, people: int, apart: int) -> None:
    new, before = payload(frame + apart, people), payload(frame)
    assert decompress(compress(new, before), before) == new


def test_packed_omega_is_much_smaller_and_any_zstandard_reads_it() -> None:
    new, before = payload(2), payload(1)
    packed = compress(new, before)
    assert len(packed) * 2 < len(new)
    raw = zstd.ZstdDict(before, is_raw=True)
    assert zstd.decompress(packed, zstd_dict=raw.as_undigested_dict) == new


@pytest.mark.parametrize("people", [0, 1, 2])
def test_payload_is_refused_with_any_other_reference_however_much_alike(people: int) -> None:
    packed = compress(payload(2), payload(1))
    for frame in range(3, 60):
        with pytest.raises(Rejected) as rejection:
            decompress(packed, payload(frame, people))
        assert rejection.value.reason == Reason.COMPRESSION


def refused(packed: bytes) -> str:
    with pytest.raises(Rejected) as rejection:
        decompress(packed, payload(1))
    assert rejection.value.reason == Reason.COMPRESSION
    return rejection.value.text


def test_payload_longer_than_an_omega_without_picture_is_refused() -> None:
    assert decompress(compress(bytes(MAX_BARE_BYTES), payload(1)), payload(1)) == bytes(MAX_BARE_BYTES)
    assert str(MAX_BARE_BYTES) in refused(compress(bytes(MAX_BARE_BYTES + 1), payload(1)))
    assert str(MAX_BARE_BYTES) in refused(compress(bytes(10**8), payload(1)))


def test_anything_but_one_whole_frame_is_refused() -> None:
    good = compress(payload(2), payload(1))
    for bad in (b"", good[:-1], good + b"!", good + good, b"\x00" + good, payload(2)):
        refused(bad)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_bytes_are_refused_or_say_the_same(data: st.DataObject) -> None:
    damaged = bytearray(compress(payload(2), payload(1)))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decompress(bytes(damaged), payload(1)) == payload(2)
    except Rejected as rejection:
        assert rejection.reason == Reason.COMPRESSION


def test_newest_payloads_are_known_and_the_oldest_goes_first() -> None:
    payloads = ReferencePayloads()
    for n in range(1, MAX_REFERENCES + 3):
        payloads.keep(n, bytes([n]))
    assert [payloads.get(n) for n in (1, 2, 3, MAX_REFERENCES + 2)] == [
        None,
        None,
        b"\x03",
        bytes([MAX_REFERENCES + 2]),
    ]
    payloads.clear()
    assert payloads.get(MAX_REFERENCES + 2) is None
