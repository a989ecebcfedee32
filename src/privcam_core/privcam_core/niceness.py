"""How nice a running node is, for everything that works beside the nodes."""

import os
import threading

# A node that restarts has niceness 0 until it is ready, and so three times the CPU time of a running one when all cores
# are busy. More would take from the camera what other work on the host wants: with 10, beside one busy loop on each
# core, the graph was left a tenth.
RUNNING_NICENESS = 5
# Of what works beside the nodes and may take long: a language model, a painter. It leaves the nodes three quarters of a
# busy core. With 19, beside a busy loop on each core, it took minutes to load its libraries.
BESIDE_NICENESS = 10


def be_nice(niceness: int) -> None:
    """Give the calling thread at least this niceness; Linux counts it by thread. Less is not for ordinary users."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, max(niceness, os.getpriority(os.PRIO_PROCESS, thread)))
