"""The guard overwrites frames by age when the camera process is stopped, and all of them when it has ended."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from frame_processes import CAMERA_PROGRAM, GIVE_UP_S, READER_PROGRAM, Child

from privcam_core.types.time import boottime_ns
from privcam_edge.frames import guard
from privcam_edge.frames.ring import prefix, wipe_leftovers
from privcam_edge.frames.ring_file import FILE_NAME, SHM, SLOT_HEADER, SLOT_HEADER_BYTES, layout_of

CAMERA = f"guardtest{os.getpid()}"
FREEZER = Path("/sys/fs/cgroup/freezer")


@dataclass(frozen=True)
class Stored:
    """Where the camera process says that a frame is, and its descriptor, which sees the memory without its name."""

    reference: str
    descriptor: int

    @property
    def ring(self) -> str:
        return self.reference.split()[0]

    def content(self) -> bytes:
        return os.pread(self.descriptor, 1 << 20, 0)

    def holds(self, value: int) -> bool:
        return bytes([value] * 16) in self.content()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + GIVE_UP_S
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.002)


def guards_of(pid: int) -> list[int]:
    return [p.pid for p in psutil.Process(pid).children() if guard.__file__ in p.cmdline()]


def wait_for_end(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(GIVE_UP_S)


@pytest.fixture
def opened() -> Iterator[list[int]]:
    descriptors: list[int] = []
    yield descriptors
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture
def camera_process(request: pytest.FixtureRequest) -> Iterator[Child]:
    """Return a camera process. Its retention is long where a test does not choose another."""
    camera = Child(CAMERA_PROGRAM, CAMERA, str(getattr(request, "param", 600.0)))
    yield camera
    camera.end()
    wait_until(lambda: not list(SHM.glob(prefix(CAMERA) + "*")), "the end of the frame memory")


def put(camera: Child, value: int, opened: list[int]) -> Stored:
    reference = camera.ask(str(value))
    opened.append(os.open(SHM / reference.split()[0] / FILE_NAME, os.O_RDONLY))
    return Stored(reference, opened[-1])


def stop_process(camera: Child) -> Callable[[], None]:
    camera.process.send_signal(signal.SIGSTOP)
    return lambda: camera.process.send_signal(signal.SIGCONT)


def stop_group(camera: Child) -> Callable[[], None]:
    os.killpg(camera.process.pid, signal.SIGSTOP)
    return lambda: os.killpg(camera.process.pid, signal.SIGCONT)


def freeze_group(camera: Child) -> Callable[[], None]:
    """Freeze a control group that holds the camera process."""
    group = FREEZER / CAMERA
    try:
        group.mkdir()
        (group / "cgroup.procs").write_text(str(camera.process.pid))
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    (group / "freezer.state").write_text("FROZEN")
    wait_until(lambda: (group / "freezer.state").read_text().strip() == "FROZEN", "the frozen group")

    def thaw() -> None:
        (group / "freezer.state").write_text("THAWED")
        (FREEZER / "cgroup.procs").write_text(str(camera.process.pid))
        group.rmdir()

    return thaw


STOPS = [stop_process, stop_group, freeze_group]
# Long enough to stop the process before its own thread wipes, at 0.6 of it.
RETENTION_S = 3.0


@pytest.mark.parametrize("camera_process", [RETENTION_S], indirect=True)
@pytest.mark.parametrize("stop", STOPS)
def test_frames_of_a_stopped_camera_are_overwritten_by_age(
    camera_process: Child, opened: list[int], stop: Callable[[Child], Callable[[], None]]
) -> None:
    stored = put(camera_process, 200, opened)
    go_on = stop(camera_process)
    try:
        assert stored.holds(200), "the machine was too slow to stop the camera in time: its own thread has wiped"
        wait_until(lambda: not stored.holds(200), "the frame of a stopped camera overwritten")
        assert not any(stored.content()[4096:])
        # No node that runs, and none that is started now, gets the frame.
        reader = Child(READER_PROGRAM, CAMERA)
        assert reader.ask(stored.reference).startswith("FrameGone")
        reader.end()
    finally:
        go_on()
    # The camera goes on with a new ring.
    again = put(camera_process, 100, opened)
    assert again.ring != stored.ring
    assert again.reference.split()[4] == "1"
    assert not stored.holds(100)


@pytest.mark.parametrize("camera_process", [RETENTION_S], indirect=True)
def test_frame_younger_than_its_retention_stays_and_is_read_while_the_camera_is_stopped(
    camera_process: Child, opened: list[int]
) -> None:
    reader = Child(READER_PROGRAM, CAMERA)
    stored = put(camera_process, 200, opened)
    go_on = stop_process(camera_process)
    try:
        answer = reader.ask(stored.reference)
        captured_ns = SLOT_HEADER.unpack(stored.content()[4096 : 4096 + SLOT_HEADER.size])[1]
        if boottime_ns() - captured_ns < RETENTION_S * 1e9:
            assert answer == "frame 200 200"
        # A node that is restarted meanwhile reads, too, or hears that the frame is gone: never zeros.
        reader.end()
        reader = Child(READER_PROGRAM, CAMERA)
        while (answer := reader.ask(stored.reference)) == "frame 200 200":
            pass
        assert answer.startswith("FrameGone")
    finally:
        go_on()
        reader.end()


@pytest.mark.parametrize("camera_process", [RETENTION_S], indirect=True)
def test_guard_checks_ten_times_per_retention_and_overwrites_no_frame_before_it(
    camera_process: Child, opened: list[int]
) -> None:
    # So the age is at most 1.1 retentions and what a busy machine adds, which is printed and not judged.
    stored = put(camera_process, 200, opened)
    go_on = stop_process(camera_process)
    try:
        captured_ns = SLOT_HEADER.unpack(stored.content()[4096 : 4096 + SLOT_HEADER.size])[1]
        wait_until(lambda: not stored.holds(200), "the frame of a stopped camera overwritten")
        age_s = (boottime_ns() - captured_ns) / 1e9
        print(f"overwritten at {age_s / RETENTION_S:.3f} of the retention")
        assert age_s >= RETENTION_S
    finally:
        go_on()
    assert guard.CHECKS_PER_RETENTION >= 10


def test_killed_camera_leaves_no_frame_behind(opened: list[int]) -> None:
    camera = Child(CAMERA_PROGRAM, CAMERA + "k", "600.0")
    stored = put(camera, 200, opened)
    watcher = guards_of(camera.process.pid)
    camera.process.kill()
    camera.process.wait()
    for pid in watcher:
        wait_for_end(pid)
    assert not (SHM / stored.ring).exists()
    # The file has no name any more, but a process that still has it open reads zeros too.
    assert not any(stored.content())


def test_camera_that_is_killed_while_it_is_stopped_leaves_no_frame_behind(opened: list[int]) -> None:
    camera = Child(CAMERA_PROGRAM, CAMERA + "s", "600.0")
    stored = put(camera, 200, opened)
    stop_process(camera)
    camera.process.kill()
    camera.process.wait()
    wait_until(lambda: not (SHM / stored.ring).exists(), "the end of the frame memory")
    assert not any(stored.content())


def test_killed_group_of_the_camera_does_not_take_the_guard_along(opened: list[int]) -> None:
    camera = Child(CAMERA_PROGRAM, CAMERA + "p", "600.0")
    stored = put(camera, 200, opened)
    os.killpg(camera.process.pid, signal.SIGKILL)
    camera.process.wait()
    wait_until(lambda: not (SHM / stored.ring).exists(), "the end of the frame memory")
    assert not any(stored.content())


def test_next_start_wipes_the_frames_of_a_crash_when_the_guard_was_killed_too(opened: list[int]) -> None:
    camera = Child(CAMERA_PROGRAM, CAMERA + "g", "600.0")
    stored = put(camera, 200, opened)
    for pid in guards_of(camera.process.pid):
        os.kill(pid, signal.SIGKILL)
    camera.process.kill()
    camera.process.wait()
    assert stored.holds(200)
    assert wipe_leftovers(CAMERA + "g").wiped == 1
    assert not any(stored.content())
    assert not (SHM / stored.ring).exists()


def test_camera_starts_a_new_guard_when_its_guard_has_ended(camera_process: Child, opened: list[int]) -> None:
    put(camera_process, 200, opened)
    (first,) = guards_of(camera_process.process.pid)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: psutil.Process(first).status() == psutil.STATUS_ZOMBIE, "the end of the guard")
    stored = put(camera_process, 100, opened)
    assert stored.reference.split()[5] == "1"
    (second,) = guards_of(camera_process.process.pid)
    assert second != first


def test_guard_of_a_camera_that_has_ended_meanwhile_wipes_at_once(opened: list[int]) -> None:
    # The guard is stopped before the camera ends, so it finds out afterwards.
    camera = Child(CAMERA_PROGRAM, CAMERA + "e", "600.0")
    stored = put(camera, 200, opened)
    (watcher,) = guards_of(camera.process.pid)
    os.kill(watcher, signal.SIGSTOP)
    camera.process.kill()
    camera.process.wait()
    assert stored.holds(200)
    os.kill(watcher, signal.SIGCONT)
    wait_until(lambda: not (SHM / stored.ring).exists(), "the end of the frame memory")
    assert not any(stored.content())


@pytest.mark.parametrize("camera_process", [RETENTION_S], indirect=True)
def test_guard_wipes_what_a_camera_wrote_into_a_revoked_ring(camera_process: Child, opened: list[int]) -> None:
    # As if the camera was stopped, revoked, went on for one write, and was stopped again before it noticed.
    stored = put(camera_process, 200, opened)
    writable = os.open(SHM / stored.ring / FILE_NAME, os.O_RDWR)
    opened.append(writable)
    layout = layout_of(stored.ring, writable)
    go_on = stop_process(camera_process)
    try:
        header = list(SLOT_HEADER.unpack(os.pread(writable, SLOT_HEADER.size, layout.base(0))))
        header[1] -= round(RETENTION_S * 1e9)
        os.pwrite(writable, SLOT_HEADER.pack(*header), layout.base(0))
        wait_until(lambda: not any(stored.content()[4096:]), "the frame overwritten")
        header[0] += 1
        late = SLOT_HEADER.pack(*header).ljust(SLOT_HEADER_BYTES, b"\0") + bytes([99] * layout.capacity)
        os.pwrite(writable, late, layout.base(1))
        wait_until(lambda: not stored.holds(99), "the late frame overwritten")
    finally:
        go_on()


def test_guard_writes_no_core_dump() -> None:
    process = guard.start(prefix(CAMERA + "d"), 0.2)
    try:
        wait_until(lambda: core_limit(process.pid).startswith("0 0 "), "a guard without core dumps")
    finally:
        process.terminate()
        process.wait()


def core_limit(pid: int) -> str:
    """Return the soft and hard limit of core dumps, and their unit."""
    text = Path(f"/proc/{pid}/limits").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Max core file size"))
    return " ".join(line.removeprefix("Max core file size").split())
