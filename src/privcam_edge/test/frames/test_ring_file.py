"""Nothing in /dev/shm is believed by its name: links, pipes, other users' files and damaged rings are left alone."""

import os
import socket
import stat
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from forged_rings import CAMERA, LAYOUT, NAME, forged_ring, make_folder, make_ring, read, remove_rings

from privcam_core.types.omega import SyncKey
from privcam_edge.frames import ring_file
from privcam_edge.frames.frame_reader import FrameGone, FrameReader
from privcam_edge.frames.ring import FrameRing, wipe_leftovers
from privcam_edge.frames.ring_file import FILE_NAME, SHM, RingError

SECRET = b"precious" * 600
# Has no name of a ring.
OTHER = SHM / f"of_{CAMERA}"
STRANGER = 65534
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which needs root")


@pytest.fixture(autouse=True)
def clean_up() -> Iterator[None]:
    yield
    OTHER.unlink(missing_ok=True)
    remove_rings()


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Return a file of this user that is no ring, in a folder that could be taken for the one of a ring."""
    folder = tmp_path / "victim"
    folder.mkdir(mode=0o700)
    path = folder / FILE_NAME
    path.write_bytes(SECRET)
    path.chmod(0o600)
    return path


def as_user(uid: int, action: Callable[[], None]) -> None:
    """Run an action in a process of another user. Raises AssertionError if it fails."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            action()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# What somebody may put at the name of a ring. Each takes the path of a victim.


def link_to_the_folder(victim: Path) -> None:
    (SHM / NAME).symlink_to(victim.parent)


def link_to_nothing(victim: Path) -> None:
    (SHM / NAME).symlink_to(victim.parent / "nothing")


def link_to_the_file(victim: Path) -> None:
    (SHM / NAME).symlink_to(victim)


def plain_file(_: Path) -> None:
    (SHM / NAME).write_bytes(forged_ring())


def pipe(_: Path) -> None:
    os.mkfifo(SHM / NAME)


def socket_file(_: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(SHM / NAME))


def open_folder(_: Path) -> None:
    make_ring()
    (SHM / NAME).chmod(0o755)


def link_in_the_folder(victim: Path) -> None:
    (make_folder() / FILE_NAME).symlink_to(victim)


def second_name_of_a_file(victim: Path) -> None:
    make_folder()
    try:
        (SHM / NAME / FILE_NAME).hardlink_to(victim)
    except OSError:  # another file system: a file of this one does as well
        OTHER.write_bytes(SECRET)
        OTHER.chmod(0o600)
        (SHM / NAME / FILE_NAME).hardlink_to(OTHER)


def pipe_in_the_folder(_: Path) -> None:
    os.mkfifo(make_folder() / FILE_NAME, 0o600)


def folder_in_the_folder(_: Path) -> None:
    (make_folder() / FILE_NAME).mkdir(0o600)


def file_that_others_may_read(_: Path) -> None:
    make_ring(mode=0o644)


def file_that_a_group_may_write(_: Path) -> None:
    make_ring(mode=0o660)


def file_that_runs_as_its_owner(_: Path) -> None:
    make_ring(mode=0o4600)


SQUATTERS = [
    *(link_to_the_folder, link_to_nothing, link_to_the_file, plain_file, pipe, socket_file, open_folder),
    *(link_in_the_folder, second_name_of_a_file, pipe_in_the_folder, folder_in_the_folder),
    *(file_that_others_may_read, file_that_a_group_may_write, file_that_runs_as_its_owner),
]


def state_of(path: Path) -> tuple[object, ...]:
    """Return what must not change: kind, mode, owner and content."""
    status = path.lstat()
    content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
    within = tuple(sorted((entry.name, state_of(entry)) for entry in path.iterdir())) if is_folder(status) else ()
    return status.st_mode, status.st_uid, content, within


def is_folder(status: os.stat_result) -> bool:
    return stat.S_ISDIR(status.st_mode)


def test_ring_of_this_user_is_read_and_wiped() -> None:
    make_ring()
    read()
    found = wipe_leftovers(CAMERA)
    assert (found.wiped, found.refused) == (1, [])
    assert not (SHM / NAME).exists()


@pytest.mark.parametrize("squat", SQUATTERS)
def test_what_is_not_a_ring_is_refused_by_name_and_left_alone(squat: Callable[[Path], None], victim: Path) -> None:
    squat(victim)
    before = state_of(SHM / NAME)
    with pytest.raises((RingError, FrameGone)) as raised:
        read()
    found = wipe_leftovers(CAMERA)
    assert found.wiped == 0
    for text in (str(raised.value), *found.refused):
        assert f"frame memory {SHM / NAME}" in text
        assert "it was left alone" in text
        assert "\n" not in text
    assert len(found.refused) == 1
    assert state_of(SHM / NAME) == before
    assert victim.read_bytes() == SECRET


@pytest.mark.parametrize("squat", SQUATTERS)
def test_camera_starts_beside_what_is_not_a_ring(squat: Callable[[Path], None], victim: Path) -> None:
    squat(victim)
    ring = FrameRing(CAMERA, 12, 16, slots=2, retention_s=30.0)
    reader = FrameReader()
    try:
        key = SyncKey(CAMERA, 1, 10**18)
        with reader.read(key, ring.write(key, np.full((12, 16, 3), 5, np.uint8))) as image:
            assert (image == 5).all()
    finally:
        reader.close()
        ring.close()
    assert victim.read_bytes() == SECRET


@root_only
@pytest.mark.parametrize(
    "squat", [plain_file, pipe, socket_file, open_folder, lambda _: make_ring(), link_to_the_file, link_to_the_folder]
)
def test_what_another_user_made_is_refused_and_left_alone(squat: Callable[[Path], object], victim: Path) -> None:
    as_user(STRANGER, lambda: squat(victim) and None)
    before = state_of(SHM / NAME)
    with pytest.raises(RingError, match="it was left alone"):
        read()
    found = wipe_leftovers(CAMERA)
    assert found.wiped == 0
    assert len(found.refused) == 1
    assert state_of(SHM / NAME) == before
    assert victim.read_bytes() == SECRET


@root_only
def test_file_of_another_user_in_a_folder_of_this_user_is_refused_and_left_alone() -> None:
    path = make_ring()
    os.chown(path, STRANGER, STRANGER)
    with pytest.raises(RingError, match=f"it belongs to user {STRANGER}"):
        read()
    assert wipe_leftovers(CAMERA).wiped == 0
    assert path.read_bytes()[ring_file.RING_HEADER_BYTES + 128 :].startswith(bytes([77] * 16))


@root_only
def test_another_user_gets_nothing_of_a_ring() -> None:
    ring = FrameRing(CAMERA, 12, 16, slots=2, retention_s=30.0)
    try:
        key = SyncKey(CAMERA, 1, 10**18)
        slot = ring.write(key, np.full((12, 16, 3), 77, np.uint8))

        def attack() -> None:
            with pytest.raises(PermissionError):
                next((SHM / ring.name).iterdir())
            with pytest.raises(PermissionError):
                (SHM / ring.name / FILE_NAME).read_bytes()
            with pytest.raises(PermissionError):
                (SHM / ring.name).rename(SHM / f"{ring.name}0")
            with pytest.raises(RingError), FrameReader().read(key, slot):
                pass

        as_user(STRANGER, attack)
    finally:
        ring.close()


def test_folder_that_holds_something_else_too_is_wiped_and_named() -> None:
    path = make_ring()
    (path.parent / "notes").write_text("of somebody")
    descriptor = os.open(path, os.O_RDONLY)
    found = wipe_leftovers(CAMERA)
    assert not any(os.pread(descriptor, 1 << 20, 0))
    os.close(descriptor)
    assert "could not be removed" in found.refused[0]
    assert (path.parent / "notes").read_text() == "of somebody"


def test_start_that_failed_half_way_is_cleared_by_the_next() -> None:
    make_folder()
    assert wipe_leftovers(CAMERA).wiped == 1
    assert not (SHM / NAME).exists()


def test_shared_folder_in_which_others_may_rename_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setattr(ring_file, "SHM", tmp_path)
    with pytest.raises(RingError, match="chmod 1777"):
        ring_file.create(NAME, LAYOUT)
    assert not list(tmp_path.iterdir())
    tmp_path.chmod(0o1777)
    owned = ring_file.create(NAME, LAYOUT)
    os.close(owned.file)
    os.close(owned.folder)
