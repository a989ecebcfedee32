"""`./privcam replay BAG`: publish a recording into the graph with its own timing."""

import argparse
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from rosbags.rosbag2 import Reader, ReaderError

from privcam_bringup.bag_routes import IMAGE_TOPICS, Route, UnusableBag, plan
from privcam_core.types.identifiers import is_camera_namespace, namespace_error

SUBSCRIBER_WAIT_S = 30.0  # nodes that load models need some seconds; more than this means that none is started
# Nodes of one launch start within this time of each other; the beginning of a bag is for all of them.
SETTLED_S = 2.0
DELIVERY_WAIT_S = 5.0
PROGRESS_S = 1.0
INTERRUPT_CHECK_S = 0.1
# Messages that a slow reader may be behind before it loses one.
QUEUE = 64
IMAGE_QUEUE = 8

Item = TypeVar("Item")


def schedule(messages: Iterable[tuple[int, Item]], rate: float) -> Iterator[tuple[float, Item]]:
    """Yield every message with the time at which it is due, in seconds from the start of the replay.

    messages: (time of recording in ns, message). rate: speed, 2.0 is twice as fast. The first is due at 0. A message
    that was recorded earlier than the one before it is due together with that one.
    """
    first: int | None = None
    due = 0.0
    for stamp_ns, message in messages:
        first = stamp_ns if first is None else first
        due = max(due, (stamp_ns - first) / 1e9 / rate)
        yield due, message


def play(
    messages: Iterable[tuple[float, Item]],
    publish: Callable[[Item], None],
    wait_until: Callable[[float], bool],
) -> bool:
    """Publish each message when it is due. wait_until: returns False to end early. Return False if it did."""
    for due, message in messages:
        if not wait_until(due):
            return False
        publish(message)
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Return its exit code."""
    parser = argparse.ArgumentParser(prog="privcam replay", description="Publish a recording with its own timing.")
    parser.add_argument("bag", type=Path, help="rosbag2 bag: its folder, or an .mcap or .db3 file")
    parser.add_argument("--rate", type=_rate, default=1.0, help="speed, 1.0 is as recorded")
    parser.add_argument("--loop", action="store_true", help="begin again at the end, until interrupted")
    parser.add_argument("--camera-id", type=_camera_id, help="default: as recorded, or camera for pictures")
    parser.add_argument("--topic", help="which pictures, if the bag has several topics of them")
    parser.add_argument("--start-paused", choices=("yes", "no"), default="no", help="wait for Enter before the start")
    options, ros_arguments = parser.parse_known_args(argv)
    if ros_arguments and ros_arguments[0] != "--ros-args":  # a launch file appends these; they are for rclpy
        parser.error(f"unknown: {' '.join(ros_arguments)}")
    try:
        with Reader(options.bag) as reader:
            routes = plan(reader.connections, options.camera_id, options.topic)
            return _publish(reader, routes, options, ros_arguments)
    except (UnusableBag, ReaderError, OSError) as error:
        _report(f"the bag {options.bag} cannot be replayed: {error}")
    return 1


def _rate(text: str) -> float:
    rate = float(text)
    if not (math.isfinite(rate) and rate > 0.0):
        raise argparse.ArgumentTypeError(f"{text} is not a speed above 0")
    return rate


def _camera_id(text: str) -> str:
    if not is_camera_namespace(text):
        raise argparse.ArgumentTypeError(namespace_error(text))
    return text


def _report(line: str) -> None:
    print(f"privcam replay: {line}", file=sys.stderr, flush=True)


def _publish(reader: Reader, routes: list[Route], options: argparse.Namespace, ros_arguments: list[str]) -> int:
    import rclpy
    from rclpy.duration import Duration
    from rclpy.signals import SignalHandlerOptions

    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    rclpy.init(args=ros_arguments, signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node("replay")
    try:
        publishers = {route.connection.id: (route, _publisher(node, route)) for route in routes}
        waited_for = [(route.topic, publisher) for route, publisher in publishers.values() if route.needed]
        if options.start_paused == "yes":
            _report("paused; Enter starts")
            sys.stdin.readline()
        missing = _without_subscriber(node, waited_for, interrupted)
        if missing:
            _report(f"nobody reads {', '.join(missing)} after {SUBSCRIBER_WAIT_S:g} s; start the nodes that should")
            return 1
        connections = [route.connection for route in routes]
        while not interrupted.is_set():
            start = time.monotonic()
            progress = _Progress(reader.duration / 1e9 / options.rate)

            def wait_until(due: float, start: float = start) -> bool:
                return not interrupted.wait(max(0.0, start + due - time.monotonic()))

            def publish(message: tuple[int, bytes], progress: _Progress = progress, start: float = start) -> None:
                identity, data = message
                publishers[identity][1].publish(data)
                progress.count(time.monotonic() - start)

            messages = ((stamp, (c.id, bytes(data))) for c, stamp, data in reader.messages(connections))
            play(schedule(messages, options.rate), publish, wait_until)
            progress.report()
            if not options.loop:
                break
        for _, publisher in waited_for:
            publisher.wait_for_all_acked(Duration(seconds=DELIVERY_WAIT_S))
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _publisher(node: Any, route: Route) -> Any:
    from rclpy.event_handler import PublisherEventCallbacks
    from rclpy.qos import QoSProfile, ReliabilityPolicy

    package, _, name = route.connection.msgtype.split("/")
    try:
        message_type = getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise UnusableBag(f"has {route.connection.msgtype} on {route.topic}, which is not installed here") from error
    depth = IMAGE_QUEUE if route.connection.msgtype in IMAGE_TOPICS else QUEUE
    qos = QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)
    woken = PublisherEventCallbacks(matched=lambda _: None)  # ends the wait in `spin_once` below at once
    return node.create_publisher(message_type, route.topic, qos, event_callbacks=woken)


def _without_subscriber(node: Any, publishers: list[tuple[str, Any]], interrupted: threading.Event) -> list[str]:
    """Wait until every publisher has a reader and no more are coming. Return the topics that have none in the end."""
    import rclpy

    end = time.monotonic() + SUBSCRIBER_WAIT_S
    known, since = [0], time.monotonic()
    while not interrupted.is_set():
        counts = [publisher.get_subscription_count() for _, publisher in publishers]
        if counts != known:
            known, since = counts, time.monotonic()
        missing = [topic for (topic, _), count in zip(publishers, counts, strict=True) if count == 0]
        settled = time.monotonic() - since >= SETTLED_S
        if (not missing and settled) or time.monotonic() >= end:
            return missing
        rclpy.spin_once(node, timeout_sec=INTERRUPT_CHECK_S)
    return []


class _Progress:
    """Says about every second how far the replay is."""

    def __init__(self, total_s: float) -> None:
        self._total_s = total_s
        self._messages = 0
        self._elapsed_s = 0.0
        self._said_s = 0.0

    def count(self, elapsed_s: float) -> None:
        self._messages += 1
        self._elapsed_s = elapsed_s
        if elapsed_s - self._said_s >= PROGRESS_S:
            self._said_s = elapsed_s
            self.report()

    def report(self) -> None:
        _report(f"{self._elapsed_s:.1f} of {self._total_s:.1f} s, {self._messages} messages")


if __name__ == "__main__":
    sys.exit(main())
