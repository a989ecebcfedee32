"""The frame memory returns what was written, only under its own κ, and overwrites it in time."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_core.types.time import boottime_ns
from privcam_edge.frames.frame_reader import FrameGone, FrameReader
from privcam_edge.frames.ring import FrameRing, FrameSlot, RingRevoked, wipe_leftovers
from privcam_edge.frames.ring_file import (
    FILE_NAME,
    SHM,
    SLOT_HEADER,
    RingError,
    layout_of,
    open_ring,
    revoke,
)

CAMERA = f"ringtest{os.getpid()}"


def picture(value: int, height: int = 12, width: int = 16) -> Image:
    return np.full((height, width, 3), value, np.uint8)


def key(frame_id: int, camera: str = CAMERA) -> SyncKey:
    return SyncKey(camera, frame_id, 10**18 + frame_id)


def content(ring: FrameRing) -> bytes:
    return (SHM / ring.name / FILE_NAME).read_bytes()


@contextmanager
def open_file(ring: FrameRing) -> Iterator[int]:
    """Lend the descriptor of a ring's file, open for writing."""
    descriptor = open_ring(ring.name, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.fixture
def ring() -> Iterator[FrameRing]:
    ring = FrameRing(CAMERA, 12, 16, slots=3, retention_s=30.0)
    yield ring
    ring.close()


@pytest.fixture
def reader() -> Iterator[FrameReader]:
    reader = FrameReader()
    yield reader
    reader.close()


def require_gone(reader: FrameReader, named: SyncKey, slot: FrameSlot, text: str) -> None:
    with pytest.raises(FrameGone, match=text), reader.read(named, slot):
        pass


def require_refused(reader: FrameReader, named: SyncKey, slot: FrameSlot, text: str) -> None:
    with pytest.raises(RingError, match=text), reader.read(named, slot):
        pass


def test_reader_gets_the_frame_that_was_written(ring: FrameRing, reader: FrameReader) -> None:
    image = np.random.default_rng(1).integers(0, 255, (12, 16, 3), np.uint8)
    with reader.read(key(1), ring.write(key(1), image)) as seen:
        assert np.array_equal(seen, image)


def test_picture_that_is_a_view_of_another_is_written_as_it_looks(ring: FrameRing, reader: FrameReader) -> None:
    image = np.random.default_rng(1).integers(0, 255, (12, 32, 3), np.uint8)[:, ::2]
    with reader.read(key(1), ring.write(key(1), image)) as seen:
        assert np.array_equal(seen, image)


def test_only_its_owner_can_read_the_memory(ring: FrameRing) -> None:
    assert (SHM / ring.name).stat().st_mode & 0o777 == 0o700
    assert (SHM / ring.name / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_frame_in_a_reused_slot_is_gone(ring: FrameRing, reader: FrameReader) -> None:
    old = ring.write(key(1), picture(1))
    for number in range(2, 5):
        ring.write(key(number), picture(number))
    require_gone(reader, key(1), old, "has generation 4, the reference names 2")


def test_wiping_overwrites_the_pixels_and_invalidates_references(ring: FrameRing, reader: FrameReader) -> None:
    slot = ring.write(key(1), picture(200))
    assert bytes([200] * 16) in content(ring)
    assert ring.wipe() == 1
    assert bytes([200] * 16) not in content(ring)
    require_gone(reader, key(1), slot, "has generation 0")


def test_smaller_frame_leaves_nothing_of_the_larger_one_before_it() -> None:
    ring = FrameRing(CAMERA + "s", 12, 16, slots=1, retention_s=30.0)
    try:
        ring.write(key(1, CAMERA + "s"), picture(200))
        ring.write(key(2, CAMERA + "s"), picture(7, 2, 2))
        assert bytes([200] * 4) not in content(ring)
    finally:
        ring.close()


def test_every_frame_is_overwritten_in_time_by_itself(reader: FrameReader) -> None:
    ring = FrameRing(CAMERA + "r", 12, 16, slots=2, retention_s=0.2)
    try:
        slot = ring.write(key(1, CAMERA + "r"), picture(200))
        started = time.monotonic()
        while bytes([200] * 16) in content(ring):
            assert time.monotonic() - started < 10, "the frame was never overwritten"
        require_gone(reader, key(1, CAMERA + "r"), slot, "has generation 0")
    finally:
        ring.close()


def test_frame_that_nobody_wiped_in_time_is_not_lent(ring: FrameRing, reader: FrameReader) -> None:
    slot = ring.write(key(1), picture(200))
    with open_file(ring) as descriptor:
        header = list(SLOT_HEADER.unpack(os.pread(descriptor, SLOT_HEADER.size, base(ring, slot))))
        header[1] = boottime_ns() - 31 * 10**9
        os.pwrite(descriptor, SLOT_HEADER.pack(*header), base(ring, slot))
    require_gone(reader, key(1), slot, "is older than its retention")


def test_copy_of_the_reader_is_overwritten_after_use(ring: FrameRing, reader: FrameReader) -> None:
    with reader.read(key(1), ring.write(key(1), picture(200))) as seen:
        assert seen.all()
    assert not seen.any()


def test_closing_removes_the_memory() -> None:
    ring = FrameRing(CAMERA + "c", 12, 16)
    ring.write(key(1, CAMERA + "c"), picture(9))
    ring.close()
    assert not (SHM / ring.name).exists()


@pytest.mark.parametrize("name", ["", "../etc/passwd", "privcam_0_room", "privcam_0_room.1-2/../x", "privcam_0_.1-2"])
def test_reference_to_another_file_is_rejected(reader: FrameReader, name: str) -> None:
    require_refused(reader, key(1), FrameSlot(name, 0, 2, 12, 16), "not the name of a ring")


@pytest.mark.parametrize(
    "change",
    [{"slot": 99}, {"slot": -1}, {"height": 0}, {"width": 10**6}, {"generation": 0}, {"generation": 1}],
    ids=str,
)
def test_reference_that_does_not_fit_the_ring_is_rejected(
    ring: FrameRing, reader: FrameReader, change: dict[str, int]
) -> None:
    slot = ring.write(key(1), picture(200))
    require_refused(reader, key(1), replace(slot, **change), "does not fit")


@pytest.mark.parametrize(
    "named",
    [
        SyncKey(CAMERA, 2, 10**18 + 1),
        SyncKey(CAMERA, 1, 10**18 + 2),
        SyncKey(CAMERA, 10**6, 10**18 + 10**9),
        SyncKey("other", 1, 10**18 + 1),
        SyncKey(CAMERA[:-1], 1, 10**18 + 1),
    ],
    ids=["frame", "stamp", "both", "camera", "shorter camera"],
)
def test_reference_with_another_kappa_than_the_slot_is_rejected(
    ring: FrameRing, reader: FrameReader, named: SyncKey
) -> None:
    slot = ring.write(key(1), picture(200))
    require_refused(reader, named, slot, "somebody forged it")
    with reader.read(key(1), slot) as seen:
        assert seen.all()  # the true reference is still good


@pytest.mark.parametrize("shape", [(16, 12), (6, 32), (12, 15)])
def test_reference_with_another_shape_than_the_slot_is_rejected(
    ring: FrameRing, reader: FrameReader, shape: tuple[int, int]
) -> None:
    slot = ring.write(key(1), picture(200))
    require_refused(reader, key(1), replace(slot, height=shape[0], width=shape[1]), "somebody forged it")


def test_one_generation_has_one_kappa(ring: FrameRing) -> None:
    slots = [ring.write(key(number), picture(1)) for number in range(1, 8)]
    assert len({(slot.slot, slot.generation) for slot in slots}) == 7
    for number in (7, 3):
        with pytest.raises(ValueError, match=f"frame {number} does not come after 7"):
            ring.write(key(number), picture(1))


def test_frames_of_a_revoked_ring_are_not_lent_and_none_is_written(ring: FrameRing, reader: FrameReader) -> None:
    slot = ring.write(key(1), picture(200))
    with reader.read(key(1), slot):
        pass
    with open_file(ring) as descriptor:
        revoke(descriptor)
    require_gone(reader, key(1), slot, "the guard overwrote it")
    with pytest.raises(RingRevoked):
        ring.write(key(2), picture(123))
    assert bytes([123] * 4) not in content(ring)


@pytest.mark.parametrize("size", [0, 10, 4096, 4096 + 130], ids=str)
def test_truncated_ring_is_an_error_and_does_not_end_the_reader(
    ring: FrameRing, reader: FrameReader, size: int
) -> None:
    slot = ring.write(key(1), picture(200))
    with reader.read(key(1), slot):
        pass  # the ring is open now
    os.truncate(SHM / ring.name / FILE_NAME, size)
    with pytest.raises((RingError, FrameGone), match="truncated"), reader.read(key(1), slot):
        pass
    require_refused(FrameReader(), key(1), slot, "its header does not fit its size")


@pytest.mark.usefixtures("ring")
def test_second_camera_with_the_same_id_is_rejected() -> None:
    with pytest.raises(RingError, match="another camera node"):
        wipe_leftovers(CAMERA)


@pytest.mark.parametrize("bad", [np.zeros((0, 16, 3), np.uint8), np.zeros((12, 16, 4), np.uint8)])
def test_frames_of_another_kind_are_rejected(ring: FrameRing, bad: Image) -> None:
    with pytest.raises(ValueError, match="image"):
        ring.write(key(1), bad)


def test_frame_memory_that_does_not_fit_is_an_error_and_leaves_nothing() -> None:
    # More than the whole of /dev/shm: refused before anything is reserved.
    status = os.statvfs(SHM)
    rows = status.f_blocks * status.f_frsize // (8 * 3 * 4000) + 1
    with pytest.raises(RingError, match="Enlarge /dev/shm"):
        FrameRing(CAMERA + "l", rows, 4000, slots=8)
    assert not list(SHM.glob(f"privcam_*{CAMERA}l.*"))


def base(ring: FrameRing, slot: FrameSlot) -> int:
    with open_file(ring) as descriptor:
        return layout_of(ring.name, descriptor).base(slot.slot)
