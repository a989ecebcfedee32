"""A camera node that is stopped keeps no raw frame, and works when it goes on."""

import os
from pathlib import Path

import psutil
from privcam_msgs.msg import SealedMessage

from harness.graph_probe import probe_diagnostics, started, values, wait_for_status, wait_until
from privcam_core.process_protection import describe_lock
from privcam_edge.frames.ring import prefix
from privcam_edge.frames.ring_file import FILE_NAME, RING_HEADER_BYTES, SHM

FRAMES = "/cam/frames"
# Of its own: two cameras of one name cannot run at once.
CAMERA_ID = f"stopped{os.getpid()}"
# What the diagnostics may say of the memory of frames, by the limit of this user.
LOCKS = [describe_lock(locked=True), describe_lock(locked=False)]


def memories() -> set[Path]:
    return set(SHM.glob(prefix(CAMERA_ID) + "*"))


def holds_frames(memory: Path) -> bool:
    """Whether there is a byte of a frame, or of its header, in a frame memory."""
    return any((memory / FILE_NAME).read_bytes()[RING_HEADER_BYTES:])


def test_stopped_camera_node_keeps_no_raw_frame_and_works_when_it_goes_on(clip: Path, tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    with (
        probe_diagnostics((FRAMES, SealedMessage)) as probe,
        started("privcam_edge", "camera_node", log, camera_id=CAMERA_ID, source=str(clip), loop=True) as camera,
    ):
        probe.wait_for(lambda s: s.counts[FRAMES] > 0, "the first frames")
        # Nothing gives a frame back here, so the node puts a new one whenever the retention of the last is over.
        wait_until(lambda: any(holds_frames(memory) for memory in memories()), "a frame in the frame memory")
        process = psutil.Process(camera.pid)
        process.suspend()
        try:
            before = memories()
            wait_until(lambda: not any(holds_frames(memory) for memory in before), "the guard to overwrite the frames")
        finally:
            process.resume()
        frames = probe.counts[FRAMES]
        probe.wait_for(lambda s: s.counts[FRAMES] > frames, "frames when the node goes on")
        status = wait_for_status(
            probe, "/cam/camera", lambda s: values(s).get("frame_memory") in LOCKS, "the state of the frame memory"
        )
        assert abs(float(values(status)["clock_offset_s"])) < 5
        assert camera.interrupt() == 0
    assert not memories()
