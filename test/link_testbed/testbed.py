"""Runs the real nodes of an edge and of its clouds at the two ends of a cable that a test can break."""

import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from rosbags.rosbag2 import Reader

from link_testbed.network_namespaces import CLOUD_ADDRESS, Cable
from link_testbed.probe import Event
from link_testbed.testbed_processes import HANG_LIMIT_S, Probe, Side, end_process
from privcam_bringup.graph import free_domain
from privcam_edge.link.omega_queue import FILE, queue_folder
from privcam_link import cdr
from privcam_link.certificates import keys_command as keys

CAMERA_ID = "room"
RATE_HZ = 10.0
PORT, RELAY_PORT = 7447, 7547
BRIDGE, INFERENCE, RECORDER = "bridge", "inference", "recorder"
# A live Ω is one that is not older than this when it arrives in the cloud.
LIVE_S = 1.0


@dataclass(frozen=True)
class Tally:
    """Compares the Ω that were sent with those in the bags of a recorder. lost: stamps."""

    sent: int
    recorded: int
    lost: tuple[int, ...]
    duplicated: int
    out_of_order: int
    strange: int  # recorded, and never sent

    @property
    def complete(self) -> bool:
        """Whether every one is there exactly once, in order."""
        return not (self.lost or self.duplicated or self.out_of_order or self.strange)


def tally(sent: Sequence[int], recorded: Sequence[int]) -> Tally:
    """Compare the stamps that were sent, in order, with those in the bags, in order."""
    counts = Counter(recorded)
    return Tally(
        len(sent),
        len(recorded),
        tuple(stamp for stamp in sent if not counts[stamp]),
        sum(count - 1 for count in counts.values()),
        sum(later <= earlier for earlier, later in pairwise(recorded)),
        len(counts.keys() - set(sent)),
    )


def recorded_stamps(path: Path, topic: str, *, schema: bool) -> list[int]:
    """Return the stamps of one topic in the bags that a recorder made under `path`, oldest bag first."""
    bags, number = [path], 1
    while (bag := path.with_name(f"{path.name}_{number}")).exists():
        bags.append(bag)
        number += 1
    stamps = []
    for bag in bags:
        with Reader(bag) as reader:
            wanted = [one for one in reader.connections if one.topic == topic]
            if wanted:
                found = reader.messages(wanted)
                stamps += [cdr.peek_key(bytes(data), schema=schema).stamp_ns for _, _, data in found]
    return stamps


class Testbed:
    """An edge bridge and clouds (bridge, inference, recorder) at the two ends of a cable, over mTLS.

    folder: for logs, keys, queue and bags. clouds: their names. relay: arguments of `link_testbed.relay` for a
    bad line to the first cloud. Entering starts everything and waits until Ω are recorded.
    """

    def __init__(self, folder: Path, *, clouds: Sequence[str] = ("cloud",), relay: Sequence[str] = ()) -> None:
        self.folder = folder
        self.clouds = clouds
        self._relay_arguments = relay
        self._relay: subprocess.Popen[str] | None = None
        self._stack = ExitStack()
        self._nodes: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self.up_at_s = 0.0

    def __enter__(self) -> "Testbed":
        try:
            self._make_keys()
            self.cable = self._stack.enter_context(Cable())
            domain = free_domain()
            self._edge = Side(self.cable.edge, domain, self.folder / "edge")
            self._cloud = Side(self.cable.cloud, domain % 100 + 1, self.folder / "cloud")
            watched = [word for cloud in self.clouds for word in ("--watch", cloud)]
            self.feed = self._start_probe(self._edge, "feed", "--feed", f"{RATE_HZ:g}")
            self.watch = self._start_probe(self._cloud, "watch", *watched)
            self._stack.callback(self._end_nodes)
            if self._relay_arguments:
                self._start_relay()
            for cloud in self.clouds:
                for node in (BRIDGE, INFERENCE, RECORDER):
                    self.start(cloud, node)
            self.start_edge()
            self.feed.expect(lambda e: e.what == "matched", "the edge bridge")
            self.wait_for_status(self.feed, f"/{CAMERA_ID}/bridge", "connected", "1")
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def bag(self, cloud: str) -> Path:
        """Return where a recorder writes."""
        return self.folder / f"bag_{cloud}"

    def start_edge(self) -> None:
        """Start the edge bridge."""
        ports = [RELAY_PORT if self._relay_arguments and not i else PORT + i for i in range(len(self.clouds))]
        parameters = {
            "camera_id": CAMERA_ID,
            "endpoint": " ".join(f"tls/{self.cable.cloud.address}:{port}" for port in ports),
            "credentials": str(self.folder / "keys" / CAMERA_ID),
        }
        self._nodes["", BRIDGE] = self._edge.node(
            "privcam_edge", "bridge_node", BRIDGE, namespace=f"/{CAMERA_ID}", parameters=parameters
        )

    def start(self, cloud: str, node: str) -> None:
        """Start a node of a cloud: BRIDGE, INFERENCE or RECORDER."""
        parameters: dict[str, dict[str, object]] = {
            BRIDGE: {
                "camera_id": CAMERA_ID,
                "listen": f"tls/{self.cable.cloud.address}:{PORT + list(self.clouds).index(cloud)}",
                "credentials": str(self.folder / "keys" / cloud),
                "consumer": cloud,
                "recording": True,
            },
            INFERENCE: {"recording": True},
            RECORDER: {"camera_id": CAMERA_ID, "path": str(self.bag(cloud))},
        }
        self._nodes[cloud, node] = self._cloud.node(
            "privcam_cloud",
            f"{node}_node",
            f"{cloud}_{node}",
            namespace=f"/{CAMERA_ID}/{cloud}",
            parameters=parameters[node],
        )

    def kill(self, cloud: str, node: str) -> None:
        """End a node as a crash does. cloud: empty for the edge."""
        end_process(self._nodes[cloud, node], signal.SIGKILL)

    def down(self) -> None:
        """Break the line."""
        self.cable.down()

    def up(self) -> None:
        """Make the line whole again."""
        self.up_at_s = time.time()
        self.cable.up()

    def cut(self) -> None:
        """Break every connection through the relay."""
        assert self._relay is not None and self._relay.stdin is not None
        self._relay.stdin.write("cut\n")
        self._relay.stdin.flush()

    def sent(self) -> list[Event]:
        """Return the Ω that the feed has published so far."""
        return self.feed.events("sent")

    def wait_for_sent(self, seconds: float) -> None:
        """Wait until the feed has published so many more seconds of Ω."""
        until = time.time_ns() + int(seconds * 1e9)
        self.feed.expect(
            lambda e: e.what == "sent" and e.stamp_ns >= until, "the feed", timeout_s=seconds + HANG_LIMIT_S
        )

    def wait_until_kept(self, cloud: str, stamp_ns: int, timeout_s: float = HANG_LIMIT_S) -> None:
        """Wait until the recorder of a cloud has everything up to this stamp."""
        self.watch.expect(
            lambda e: e.what == "kept" and e.space == cloud and e.stamp_ns >= stamp_ns,
            f"the recorder of {cloud}",
            timeout_s=timeout_s,
        )

    def newest_queued(self) -> int:
        """Return the stamp of the newest Ω in the queue on disk of an edge bridge that does not run now."""
        file = queue_folder(self._edge.folder / "state", CAMERA_ID) / FILE
        with closing(sqlite3.connect(file)) as base:
            return int(base.execute("SELECT max(stamp_ns) FROM omega").fetchone()[0])

    def wait_for_status(self, probe: Probe, node: str, name: str, value: str, since: int = 0) -> Event:
        """Wait until a node says this in its diagnostics."""
        return probe.expect(
            lambda e: e.what == "status" and e.space == node and e.diagnostics.get(name) == value,
            f"{node} to say {name} = {value}",
            since=since,
        )

    def finish(self, timeout_s: float = HANG_LIMIT_S) -> None:
        """Stop the feed, wait until every recorder has the last Ω and its report, and end the recorders."""
        self.feed.say("rest")
        last = self.sent()[-1].stamp_ns
        for cloud in self.clouds:
            for what in ("kept", "report"):
                self.watch.expect(
                    lambda e, what=what, cloud=cloud: e.what == what and e.space == cloud and e.stamp_ns >= last,  # type: ignore[misc]
                    f"{what} of the last Ω at {cloud}",
                    timeout_s=timeout_s,
                )
        for cloud in self.clouds:
            end_process(self._nodes[cloud, RECORDER])

    def recorded(self, cloud: str) -> list[int]:
        """Return the stamps of the Ω in all bags of a cloud, as they stand there."""
        return recorded_stamps(self.bag(cloud), f"/{CAMERA_ID}/{cloud}/omega", schema=True)

    def reports(self, cloud: str) -> list[int]:
        """Return the stamps of the scene reports in all bags of a cloud."""
        return recorded_stamps(self.bag(cloud), f"/{CAMERA_ID}/{cloud}/report", schema=False)

    def _start_probe(self, side: Side, log: str, *arguments: str) -> Probe:
        probe = self._stack.enter_context(Probe(side, log, "--camera-id", CAMERA_ID, *arguments))
        probe.expect(lambda e: e.what == "ready", log)
        return probe

    def _start_relay(self) -> None:
        address = self.cable.cloud.address
        ends = ("--listen", f"{address}:{RELAY_PORT}", "--to", f"{address}:{PORT}")
        relay = self._relay = self._cloud.module("link_testbed.relay", "relay", *ends, *self._relay_arguments)
        self._stack.callback(end_process, relay)
        assert relay.stdout is not None
        relay.stdout.readline()

    def _make_keys(self) -> None:
        folders = ["--authority", str(self.folder / "authority"), "--keys", str(self.folder / "keys")]
        commands = [["init"], ["add", "camera", CAMERA_ID]]
        commands += [["add", "cloud", cloud, "--address", CLOUD_ADDRESS] for cloud in self.clouds]
        for command in commands:
            if keys.main([*folders, *command]):
                raise RuntimeError(f"privcam keys {' '.join(command)} failed")

    def _end_nodes(self) -> None:
        for process in self._nodes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._nodes.values():
            end_process(process)
