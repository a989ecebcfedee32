"""V4L2 devices of this host: which names are cameras, and which cameras there are."""

import fcntl
import os
import stat
import struct
from pathlib import Path

DEV = Path("/dev")
# Where udev puts links whose names stay when a camera is plugged in again.
_LINKS = ("v4l/by-id", "v4l/by-path")
# VIDIOC_QUERYCAP of <linux/videodev2.h>: driver, card, bus_info, version, capabilities, device_caps, reserved.
_QUERYCAP = 0x80685600
_CAPABILITY = struct.Struct("=16s32s32sIII12x")
_CAPTURE = 0x1 | 0x1000  # VIDEO_CAPTURE, VIDEO_CAPTURE_MPLANE
# Files of programs, not devices.
_SHARED_MEMORY = DEV / "shm"


def is_device_name(path: Path) -> bool:
    """Whether a path names a live camera: it lies under /dev, or leads to a character device, also one that is away.

    A link that leads nowhere names a camera where it points below /dev, or lies in a folder as udev makes them.
    """
    try:
        if path.is_file() or path.is_dir():
            return False
        mode = path.stat().st_mode
    except OSError:
        mode = 0
    if stat.S_ISCHR(mode):
        return True
    real = Path(os.path.realpath(path))
    below_dev = any(DEV in one.parents and _SHARED_MEMORY not in one.parents for one in (path.absolute(), real))
    return below_dev or any(path.parent.as_posix().endswith(folder) for folder in _LINKS)


def device_problem(path: Path) -> str | None:
    """Return why a path is no camera that can be opened, with the cameras that are there; None where nothing speaks
    against it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return f"no such camera; cameras here: {describe_cameras()}"
    except PermissionError:
        return "this user may not open it; add the user to the group `video`, and log in again"
    except OSError as error:
        return f"could not be opened ({error.strerror}); cameras here: {describe_cameras()}"
    try:
        name = _camera_name(descriptor)
    finally:
        os.close(descriptor)
    return None if name is not None else f"is not a camera; cameras here: {describe_cameras()}"


def describe_cameras() -> str:
    """Return the cameras of this host, each with its name and a link that stays; `none` where there is none."""
    found = []
    for path in sorted(DEV.glob("video*")):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            found.append(f"{path} ({error.strerror})")
            continue
        try:
            name = _camera_name(descriptor)
        finally:
            os.close(descriptor)
        if name is not None:
            links = [str(link) for folder in _LINKS[:1] for link in (DEV / folder).glob("*") if link.samefile(path)]
            found.append(f"{path} ({', '.join([name, *links])})")
    return ", ".join(found) or "none"


def _camera_name(descriptor: int) -> str | None:
    """Return the name of an open V4L2 device that gives pictures; None for anything else."""
    buffer = bytearray(_CAPABILITY.size)
    try:
        fcntl.ioctl(descriptor, _QUERYCAP, buffer)
    except OSError:
        return None
    _, card, _, _, capabilities, of_device = _CAPABILITY.unpack(buffer)
    # Of a device with several nodes, `capabilities` has those of all.
    if not (of_device or capabilities) & _CAPTURE:
        return None
    return str(card.rstrip(b"\0").decode(errors="replace"))
