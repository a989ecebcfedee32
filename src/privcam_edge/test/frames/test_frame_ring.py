"""The frame memory returns what was written, overwrites it in time and leaves nothing after a crash."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from privcam_edge.frames import guard
from privcam_edge.frames.ring import (
    SHM,
    FrameGone,
    FrameReader,
    FrameRing,
    FrameSlot,
    RingError,
    prefix,
    wipe_leftovers,
)

CAMERA = f"ringtest{os.getpid()}"


def picture(value: int, height: int = 12, width: int = 16) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.fixture
def ring():
    ring = FrameRing(CAMERA, 12, 16, slots=3, retention_s=30.0)
    yield ring
    ring.close()


def test_reader_gets_the_frame_that_was_written(ring):
    image = np.random.default_rng(1).integers(0, 255, (12, 16, 3), np.uint8)
    with FrameReader().read(ring.write(image)) as seen:
        assert np.array_equal(seen, image)


def test_only_its_owner_can_read_the_memory(ring):
    assert ring.path.stat().st_mode & 0o777 == 0o600


def test_frame_in_a_reused_slot_is_gone(ring):
    reader, old = FrameReader(), ring.write(picture(1))
    for value in range(3):
        ring.write(picture(value))
    with pytest.raises(FrameGone), reader.read(old):
        pass


def test_wiping_overwrites_the_pixels_and_invalidates_references(ring):
    slot = ring.write(picture(200))
    assert ring.wipe() == 1
    assert bytes([200] * 16) not in ring.path.read_bytes()
    with pytest.raises(FrameGone), FrameReader().read(slot):
        pass


def test_smaller_frame_leaves_nothing_of_the_larger_one_before_it():
    ring = FrameRing(CAMERA + "s", 12, 16, slots=1, retention_s=30.0)
    try:
        ring.write(picture(200))
        ring.write(picture(7, 2, 2))
        assert bytes([200] * 4) not in ring.path.read_bytes()
    finally:
        ring.close()


def test_every_frame_is_overwritten_in_time_by_itself():
    ring = FrameRing(CAMERA + "r", 12, 16, slots=2, retention_s=0.2)
    try:
        slot = ring.write(picture(200))
        wait_until_overwritten(ring)
        with pytest.raises(FrameGone), FrameReader().read(slot):
            pass
    finally:
        ring.close()


def wait_until_overwritten(ring: FrameRing) -> None:
    started = time.monotonic()
    while bytes([200] * 16) in ring.path.read_bytes():
        assert time.monotonic() - started < 10, "the frame was never overwritten"


def test_copy_of_the_reader_is_overwritten_after_use(ring):
    reader = FrameReader()
    with reader.read(ring.write(picture(200))) as seen:
        pass
    assert not seen.any()


def test_closing_removes_the_memory():
    ring = FrameRing(CAMERA + "c", 12, 16)
    ring.write(picture(9))
    ring.close()
    assert not ring.path.exists()


@pytest.mark.parametrize("slot", [FrameSlot("", 0, 2, 12, 16), FrameSlot("../etc/passwd", 0, 2, 12, 16)])
def test_reference_to_another_file_is_rejected(slot):
    with pytest.raises(RingError), FrameReader().read(slot):
        pass


def test_reference_beyond_the_ring_is_rejected(ring):
    with pytest.raises(RingError, match="does not fit"), FrameReader().read(FrameSlot(ring.name, 99, 2, 12, 16)):
        pass


@pytest.mark.usefixtures("ring")
def test_second_camera_with_the_same_id_is_rejected():
    with pytest.raises(RingError, match="another camera node"):
        wipe_leftovers(CAMERA)


@pytest.mark.parametrize("bad", [np.zeros((0, 16, 3), np.uint8), np.zeros((12, 16, 4), np.uint8)])
def test_frames_of_another_kind_are_rejected(ring, bad):
    with pytest.raises(ValueError, match="image"):
        ring.write(bad)


CRASHING = textwrap.dedent("""
    import sys, time
    import numpy as np
    from privcam_edge.frames.feed import FrameStore
    store = FrameStore(sys.argv[1], slots=2, retention_s=600.0)
    store.put(np.full((12, 16, 3), 200, np.uint8), 1, 10**18)
    print("ready", flush=True)
    time.sleep(600)
""")


def crashed_camera(camera: str) -> tuple[subprocess.Popen, list[Path]]:
    child = subprocess.Popen([sys.executable, "-c", CRASHING, camera], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    return child, list(SHM.glob(prefix(camera) + "*"))


def test_killed_camera_leaves_no_frame_behind():
    child, rings = crashed_camera(CAMERA + "k")
    assert len(rings) == 1
    descriptor = os.open(rings[0], os.O_RDONLY)
    watcher = guards_of(child.pid)
    child.send_signal(signal.SIGKILL)
    child.wait()
    for pid in watcher:
        wait_for_end(pid)
    assert not rings[0].exists()
    # The file is unlinked, but a process that still has it open reads zeros too.
    assert bytes([200] * 16) not in os.pread(descriptor, 1 << 20, 0)
    os.close(descriptor)


def test_next_start_wipes_the_frames_of_a_crash_when_the_guard_was_killed_too():
    child, rings = crashed_camera(CAMERA + "g")
    for pid in guards_of(child.pid):
        os.kill(pid, signal.SIGKILL)
    child.kill()
    child.wait()
    assert rings[0].exists()
    assert wipe_leftovers(CAMERA + "g") == 1
    assert not rings[0].exists()


def guards_of(pid: int) -> list[int]:
    return [p.pid for p in psutil.Process(pid).children() if guard.__file__ in p.cmdline()]


def wait_for_end(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(300)
