"""Starts the graph of a launch file in the background, and stops it."""

import errno
import functools
import os
import socket
import tempfile
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from privcam_bringup.launching import Runner, graph_environment, parse, shared_memory_warning
from privcam_bringup.launching.resources import resource
from privcam_ros.start_key import StartKey

# Until all nodes of a graph run: several of them load models at once, on a machine that may be busy with more.
START_TIMEOUT_S = 300.0


# ROS domains whose ports lie below those that Linux gives to other programs.
_DOMAINS = 100
# How many ports are tried.
_PORTS = 100
# Holds the domain of this process: a name of a socket without a file, which the kernel gives to one process and takes
# back when it ends.
_claims: list[socket.socket] = []


@functools.cache
def free_domain() -> int:
    """Return the ROS domain of this process, which no other run of privcam on this machine has while it lives.

    Two graphs in one domain receive each other's messages. Raises RuntimeError where all domains are taken.
    """
    for offset in range(_DOMAINS):
        domain = 1 + (os.getpid() + offset) % _DOMAINS
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0privcam-ros-domain-{domain}")
        except OSError as error:
            claim.close()
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        _claims.append(claim)
        return domain
    raise RuntimeError(
        f"all {_DOMAINS} ROS domains are used by other runs of privcam on this machine; end some of them"
    )


def free_endpoint() -> str:
    """Return a loopback endpoint of this process's own."""
    return f"tcp/127.0.0.1:{20000 + os.getpid() % 20000}"


def free_port(first: int) -> int:
    """Return a TCP port of the loopback on which nobody listens now, `first` or one of the next ones.

    Raises RuntimeError where all of them are taken.
    """
    for port in range(first, first + _PORTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"ports {first} to {first + _PORTS - 1} of 127.0.0.1 are all in use; end what listens there")


class Graph(AbstractContextManager["Graph"]):
    """The processes of one launch file, run in the background; their output goes to a log file.

    launch: name of one of our launch files (edge, cloud, demo, replay). arguments: values of its args. `state` is the
    folder in which the processes persist their state.
    """

    def __init__(self, launch: str, arguments: Mapping[str, str], *, log: Path, domain_id: int) -> None:
        processes = parse(resource(f"launch/{launch}.launch.xml"), arguments)
        # A measurement starts without state, and does not touch the state of the user's own cameras.
        self._state = tempfile.TemporaryDirectory(prefix="privcam_state_")
        self.state = Path(self._state.name)
        self._keys = tempfile.TemporaryDirectory(prefix="privcam_keys_")
        self.environment = {
            **graph_environment(domain_id),
            "PRIVCAM_STATE": self._state.name,
            "PRIVCAM_KEYS": self._keys.name,
        }
        self.warning = shared_memory_warning(len(processes))
        self.exit_code: int | None = None
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._out = log.open("w", encoding="utf-8")
        self._runner = Runner(processes, environment=self.environment, out=self._out)
        self._thread = threading.Thread(target=self._run, name="launch")

    def _run(self) -> None:
        self.exit_code = self._runner.run()

    def __enter__(self) -> "Graph":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start_key_of(self, package: str) -> StartKey:
        """Return the key of one side: whoever starts the graph may read what its nodes seal for each other."""
        return self._runner.start_key_of(package)

    @property
    def running(self) -> bool:
        """Whether any process is left."""
        return self._thread.is_alive()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end of all processes; return whether it came."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End all processes."""
        self._runner.stop()
        self._thread.join()
        self._out.close()
        self._state.cleanup()
        self._keys.cleanup()

    def errors(self, max_lines: int = 12) -> str:
        """Return the lines of the log that report errors, the newest last."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        reporting = [line for line in lines if "error" in line.lower() or "privcam:" in line or "Error" in line]
        return "\n".join((reporting or lines)[-max_lines:])
