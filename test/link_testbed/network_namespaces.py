"""Makes two network namespaces with a cable between them on one machine; the cable can be cut and slowed down.

Needs Linux, root and `ip` (iproute2). Nothing outside of the two namespaces is touched.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType

# From the block for tests and documentation of network gear (RFC 2544): nobody's real network.
EDGE_ADDRESS, CLOUD_ADDRESS, PREFIX = "198.18.77.1", "198.18.77.2", 30
# Bytes that may leave at once, and how long what is over the rate waits before it is dropped: a small router's.
TBF_BURST, TBF_LATENCY = "4kb", "200ms"
END_S = 300.0


class NetworkError(RuntimeError):
    """A command of `ip` or `tc` failed. The text has the command and what it said."""


def unavailable() -> str:
    """Return why this machine cannot make network namespaces, an empty text if it can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are a thing of Linux"
    if os.geteuid() != 0:
        return "network namespaces need root; run it as root, or in a container with CAP_NET_ADMIN and CAP_SYS_ADMIN"
    if shutil.which("ip") is None or shutil.which("tc") is None:
        return "`ip` and `tc` are missing; install iproute2"
    try:
        with Cable():
            return ""
    except NetworkError as error:
        return f"network namespaces are not allowed here: {error}"


class End:
    """One end: a network namespace with a loopback and one interface."""

    def __init__(self, namespace: str, interface: str, address: str) -> None:
        self.namespace = namespace
        self.interface = interface
        self.address = address

    def command(self, *command: str) -> list[str]:
        """Return the command line that runs `command` here."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def ip(self, *arguments: str) -> str:
        """Run `ip` here and return what it prints."""
        return _run("ip", "-n", self.namespace, *arguments)

    def bytes_sent(self) -> int:
        """Return the bytes that left through the interface so far, with all headers."""
        return int(_run(*self.command("cat", f"/sys/class/net/{self.interface}/statistics/tx_bytes")))


class Cable:
    """A namespace for the edge, one for the cloud, and a veth pair between them, until the end of the block."""

    def __init__(self) -> None:
        name = f"{os.getpid():x}{time.monotonic_ns() % 0x10000:04x}"
        self.edge = End(f"privcam_edge_{name}", f"pe{name}"[:15], EDGE_ADDRESS)
        self.cloud = End(f"privcam_cloud_{name}", f"pc{name}"[:15], CLOUD_ADDRESS)

    def __enter__(self) -> "Cable":
        try:
            for end in self._ends:
                _run("ip", "netns", "add", end.namespace)
                end.ip("link", "set", "lo", "up")
            peer = ("peer", "name", self.cloud.interface, "netns", self.cloud.namespace)
            self.edge.ip("link", "add", self.edge.interface, "type", "veth", *peer)
            for end in self._ends:
                end.ip("address", "add", f"{end.address}/{PREFIX}", "dev", end.interface)
                end.ip("link", "set", end.interface, "up")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def down(self) -> None:
        """Break the line. At the edge it looks as if the far end was unplugged: what is sent is lost."""
        self.cloud.ip("link", "set", self.cloud.interface, "down")

    def up(self) -> None:
        """Make the line whole again."""
        self.cloud.ip("link", "set", self.cloud.interface, "up")

    def limit(self, kbit_per_s: int) -> None:
        """Let no more than this through in either direction, from now on."""
        for end in self._ends:
            shape = ("rate", f"{kbit_per_s}kbit", "burst", TBF_BURST, "latency", TBF_LATENCY)
            _run("tc", "-n", end.namespace, "qdisc", "replace", "dev", end.interface, "root", "tbf", *shape)

    @property
    def _ends(self) -> Sequence[End]:
        return self.edge, self.cloud

    def _remove(self) -> None:
        for end in self._ends:
            # The interfaces go with their namespaces, once nobody is in them any more.
            subprocess.run(["ip", "netns", "del", end.namespace], capture_output=True, check=False)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=END_S, check=False)
    if done.returncode:
        raise NetworkError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout
