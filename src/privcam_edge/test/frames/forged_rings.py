"""Makes what looks like a ring of the frame memory, as a crash, or somebody who forges one, would leave it."""

import os
from pathlib import Path

from privcam_core.types.omega import SyncKey
from privcam_core.types.time import boottime_ns
from privcam_edge.frames import ring_file
from privcam_edge.frames.frame_reader import FrameReader
from privcam_edge.frames.ring import FrameSlot, prefix
from privcam_edge.frames.ring_file import FILE_NAME, SHM, SLOT_HEADER, Layout

CAMERA = f"filetest{os.getpid()}"
NAME = f"{prefix(CAMERA)}1-0123456789abcdef"
LAYOUT = Layout(slots=2, capacity=12 * 16 * 3, retention_ns=600 * 10**9)


def remove_rings() -> None:
    """Remove everything in /dev/shm whose name is of this camera."""
    for path in SHM.glob(f"privcam_*{CAMERA}.*"):
        if path.is_dir() and not path.is_symlink():
            for entry in path.iterdir():
                entry.unlink() if not entry.is_dir() or entry.is_symlink() else entry.rmdir()
            path.rmdir()
        else:
            path.unlink()


def make_folder(mode: int = 0o700) -> Path:
    (SHM / NAME).mkdir()
    (SHM / NAME).chmod(mode)
    return SHM / NAME


def make_ring(mode: int = 0o600, content: bytes | None = None) -> Path:
    """Make what looks like a ring that holds a frame."""
    path = make_folder() / FILE_NAME
    path.write_bytes(forged_ring() if content is None else content)
    path.chmod(mode)
    return path


def forged_ring(layout: Layout = LAYOUT) -> bytes:
    header = SLOT_HEADER.pack(2, boottime_ns(), 1, 10**18, 12, 16, CAMERA.encode())
    slot = (header.ljust(ring_file.SLOT_HEADER_BYTES, b"\0") + bytes([77] * layout.capacity)).ljust(
        layout.stride, b"\0"
    )
    return layout.header().ljust(ring_file.RING_HEADER_BYTES, b"\0") + slot + bytes(layout.stride)


def read(name: str = NAME) -> None:
    """Read the frame that `forged_ring` holds."""
    reader = FrameReader()
    try:
        with reader.read(SyncKey(CAMERA, 1, 10**18), FrameSlot(name, 0, 2, 12, 16)) as image:
            assert (image == 77).all()
    finally:
        reader.close()
