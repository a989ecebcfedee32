"""Executors of one process: nodes of one namespace share a thread, so one camera does not wait for another's nodes."""

import os
import sys
import threading

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from privcam_core.niceness import RUNNING_NICENESS

# Time for which a thread keeps Python's lock while others want it, in s. By default, 5 ms, a callback that gives it up
# ten times would wait 50 ms for the nodes of one busy camera.
SWITCH_INTERVAL_S = 0.001
# How often an executor without work looks whether the process ends, in s.
_IDLE_S = 1.0


class NamespaceExecutors:
    """Runs nodes. Those of the first node's namespace run on the thread that calls `spin_once`, others on their own."""

    def __init__(self) -> None:
        self._executors: dict[str, SingleThreadedExecutor] = {}
        self._threads: list[threading.Thread] = []
        self._ending = threading.Event()
        self._failure: Exception | None = None

    def add_node(self, node: Node) -> None:
        """Add a node, before `start`."""
        self._executors.setdefault(node.get_namespace(), SingleThreadedExecutor()).add_node(node)

    def start(self) -> None:
        """Start the threads, and give them and this one the niceness of running nodes."""
        # Threads inherit it. Linux has one niceness per thread; threads of the middleware keep theirs.
        os.nice(RUNNING_NICENESS)
        _, *others = self._executors.values()
        if others:
            sys.setswitchinterval(SWITCH_INTERVAL_S)
        for executor in others:
            thread = threading.Thread(target=self._spin, args=(executor,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def spin_once(self) -> None:
        """Work for the first namespace. Raises what a callback on another thread raised."""
        next(iter(self._executors.values())).spin_once(timeout_sec=_IDLE_S)
        if self._failure is not None:
            raise self._failure

    def wake(self) -> None:
        """Let all executors look at once whether the process ends. A signal handler may call it."""
        for executor in list(self._executors.values()):
            executor.wake()

    def shutdown(self) -> None:
        """End the threads."""
        self._ending.set()
        self.wake()
        for thread in self._threads:
            thread.join()
        for executor in self._executors.values():
            executor.shutdown()

    def _spin(self, executor: SingleThreadedExecutor) -> None:
        try:
            while not self._ending.is_set():
                executor.spin_once(timeout_sec=_IDLE_S)
        except ExternalShutdownException:
            pass
        except Exception as error:  # the first thread raises it
            self._failure = error
            self.wake()
