"""A damaged ring, also one that is truncated while it is open, gives an error and ends no process."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from forged_rings import CAMERA, LAYOUT, NAME, forged_ring, make_ring, read, remove_rings

from privcam_edge.frames.ring import FrameRing, wipe_leftovers
from privcam_edge.frames.ring_file import FILE_NAME, SHM, Layout, RingError


@pytest.fixture(autouse=True)
def clean_up() -> Iterator[None]:
    yield
    remove_rings()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"privcam2",
        forged_ring()[:-1],
        forged_ring() + b"\0",
        forged_ring(Layout(3, LAYOUT.capacity, 1))[: LAYOUT.size],
        forged_ring().replace(b"privcam2", b"privcam1"),
        forged_ring().replace(LAYOUT.header(), Layout(2**40, 576, 1).header()),
        forged_ring().replace(LAYOUT.header(), Layout(2, 2**60, 1).header()),
        forged_ring().replace(LAYOUT.header(), Layout(0, 576, 1).header()),
    ],
    ids=["empty", "magic only", "short", "long", "slots", "magic", "many slots", "large", "no slots"],
)
def test_ring_whose_header_does_not_fit_its_size_is_not_read_but_wiped_at_the_next_start(content: bytes) -> None:
    make_ring(content=content)
    with pytest.raises(RingError, match="its header does not fit its size"):
        read()
    assert wipe_leftovers(CAMERA).wiped == 1
    assert not (SHM / NAME).exists()


TRUNCATED_PROGRAM = textwrap.dedent("""
    import mmap, os, sys
    from privcam_core.types.omega import SyncKey
    from privcam_edge.frames.frame_reader import FrameReader
    from privcam_edge.frames.ring import FrameSlot
    from privcam_edge.frames.ring_file import FILE_NAME, SHM
    name, how = sys.argv[1:3]
    slot, key = FrameSlot(name, 0, 2, 12, 16), SyncKey(sys.argv[3], 1, 10**18)
    if how == "mapped":  # as a reader with a mapping would do it
        with (SHM / name / FILE_NAME).open("rb") as file:
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        print("open", flush=True)
        sys.stdin.readline()
        print(memory[4096 + 128], flush=True)
    reader = FrameReader()
    with reader.read(key, slot):
        print("open", flush=True)
        sys.stdin.readline()
    try:
        with reader.read(key, slot):
            pass
    except Exception as error:
        print(type(error).__name__, error, flush=True)
""")


@pytest.mark.parametrize(
    ("how", "code", "says"), [("mapped", -signal.SIGBUS, ""), ("read", 0, "FrameGone")], ids=["mapped", "read"]
)
def test_ring_that_is_truncated_while_a_reader_has_it_open_ends_no_reader(how: str, code: int, says: str) -> None:
    path = make_ring()
    reader = subprocess.Popen(
        [sys.executable, "-c", TRUNCATED_PROGRAM, NAME, how, CAMERA],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdin is not None
    assert reader.stdout.readline() == "open\n"
    os.truncate(path, 0)
    reader.stdin.write("\n")
    reader.stdin.flush()
    answer = reader.stdout.read()
    assert reader.wait() == code
    assert answer.startswith(says)


def test_pages_of_the_ring_are_locked_and_take_part_in_no_core_dump() -> None:
    ring = FrameRing(CAMERA, 12, 16, slots=2, retention_s=30.0)
    try:
        smaps = Path("/proc/self/smaps").read_text().split(f"{SHM / ring.name / FILE_NAME}")[1]
        flags = next(line for line in smaps.splitlines() if line.startswith("VmFlags")).split()
        assert "dd" in flags  # MADV_DONTDUMP
        assert ("lo" in flags) == ring.locked
        if os.geteuid() == 0:
            assert ring.locked
    finally:
        ring.close()
