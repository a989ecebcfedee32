"""A camera process and a reading process without ROS, which tests stop and kill."""

import signal
import subprocess
import sys
import textwrap

# Beside a test that uses all cores a process may wait long; nothing is judged by the time that it takes.
GIVE_UP_S = 120.0

# A camera process. It puts a frame of the value that a line names, and says where; `free` ends it in order.
CAMERA_PROGRAM = textwrap.dedent("""
    import sys
    import numpy as np
    from privcam_edge.frames.frame_store import FrameStore
    store = FrameStore(sys.argv[1], slots=3, retention_s=float(sys.argv[2]))
    print("ready", flush=True)
    for number, line in enumerate(sys.stdin, 1):
        key, slot = store.put(np.full((48, 64, 3), int(line), np.uint8), number, 10**18 + number)
        print(slot.ring, slot.slot, slot.generation, number, store.revoked, store.guards_lost, flush=True)
""")
# A node that reads. A line names ring, slot, generation and frame number; it says what the frame was, or the error.
READER_PROGRAM = textwrap.dedent("""
    import sys
    from privcam_core.types.omega import SyncKey
    from privcam_edge.frames.frame_reader import FrameGone, FrameReader
    from privcam_edge.frames.ring import FrameSlot
    from privcam_edge.frames.ring_file import RingError
    reader = FrameReader()
    print("ready", flush=True)
    for line in sys.stdin:
        ring, slot, generation, number = line.split()[:4]
        key = SyncKey(sys.argv[1], int(number), 10**18 + int(number))
        try:
            with reader.read(key, FrameSlot(ring, int(slot), int(generation), 48, 64)) as image:
                print("frame", image.min(), image.max(), flush=True)
        except (FrameGone, RingError) as error:
            print(type(error).__name__, error, flush=True)
""")


class Child:
    """A process of its own, in a process group of its own, that answers lines with lines."""

    def __init__(self, program: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._line() == "ready"

    def ask(self, line: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(GIVE_UP_S)
