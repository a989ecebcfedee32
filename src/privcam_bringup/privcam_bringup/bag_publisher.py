"""Publishes the messages of a bag into the graph with the timing of the recording."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, TypeVar

import rclpy
from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import try_shutdown

from privcam_bringup.bag_routes import IMAGE_TOPICS, Route
from privcam_bringup.bags.bag_reader import BagReader
from privcam_bringup.bags.storage_file import Topic, UnusableBag
from privcam_core.types.time import NS_PER_S

# Only against waiting for ever: nodes that load models on busy cores need a minute; after this, none was started.
SUBSCRIBER_TIMEOUT_S = 180.0
# Nodes of one launch start within this time of each other, and all of them need the beginning of the bag.
SETTLED_S = 2.0
DELIVERY_TIMEOUT_S = 30.0
PROGRESS_PERIOD_S = 1.0
INTERRUPT_POLL_S = 0.1
# Messages that a slow reader may be behind before it loses one.
QUEUE_DEPTH = 64
IMAGE_QUEUE_DEPTH = 8

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
        due = max(due, (stamp_ns - first) / NS_PER_S / rate)
        yield due, message


def publish_when_due(
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


def publish_bag(
    reader: BagReader, routes: Sequence[Route], *, rate: float, loop: bool, paused: bool, ros_arguments: Sequence[str]
) -> int:
    """Publish a bag until its end or an interrupt; return the exit code, 1 if nobody subscribes.

    reader: of the open bag. rate: speed. loop: begin again at the end. paused: wait for Enter before the start.
    Raises UnusableBag for a message type that is not installed.
    """
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    rclpy.init(args=list(ros_arguments), signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node("replay")
    try:
        publishers = {route.source: (route, _create_publisher(node, route)) for route in routes}
        needed = [(route.topic, publisher) for route, publisher in publishers.values() if route.needed]
        if paused:
            report("paused; Enter starts")
            sys.stdin.readline()
        missing = _topics_without_subscriber(node, needed, interrupted)
        if missing:
            report(f"nothing subscribes to {', '.join(missing)} after {SUBSCRIBER_TIMEOUT_S:g} s; start its nodes")
            return 1
        sources = [route.source for route in routes]
        while not interrupted.is_set():
            start = time.monotonic()
            progress = _Progress(reader.duration_s / rate)

            def wait_until(due: float, start: float = start) -> bool:
                return not interrupted.wait(max(0.0, start + due - time.monotonic()))

            def publish(message: tuple[Topic, bytes], progress: _Progress = progress, start: float = start) -> None:
                source, data = message
                publishers[source][1].publish(data)
                progress.count(time.monotonic() - start)

            messages = ((stamp_ns, (source, data)) for source, stamp_ns, data in reader.messages(sources))
            publish_when_due(schedule(messages, rate), publish, wait_until)
            progress.report()
            if not loop:
                break
        for _, publisher in needed:
            publisher.wait_for_all_acked(Duration(seconds=DELIVERY_TIMEOUT_S))
    finally:
        node.destroy_node()
        try_shutdown()
    return 0


def report(line: str) -> None:
    """Print one line for the user."""
    print(f"privcam replay: {line}", file=sys.stderr, flush=True)


def _create_publisher(node: Any, route: Route) -> Any:
    package, _, name = route.source.msgtype.split("/")
    try:
        message_type = getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise UnusableBag(f"has {route.source.msgtype} on {route.topic}, which is not installed here") from error
    depth = IMAGE_QUEUE_DEPTH if route.source.msgtype in IMAGE_TOPICS else QUEUE_DEPTH
    qos = QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)
    # An event of the publisher ends the wait in `spin_once` below at once.
    on_match = PublisherEventCallbacks(matched=lambda _: None)
    return node.create_publisher(message_type, route.topic, qos, event_callbacks=on_match)


def _topics_without_subscriber(
    node: Any, publishers: Sequence[tuple[str, Any]], interrupted: threading.Event
) -> list[str]:
    """Wait until every publisher has a subscriber and no more are coming. Return the topics that have none."""
    end = time.monotonic() + SUBSCRIBER_TIMEOUT_S
    known, since = [0], time.monotonic()
    while not interrupted.is_set():
        counts = [publisher.get_subscription_count() for _, publisher in publishers]
        if counts != known:
            known, since = counts, time.monotonic()
        missing = [topic for (topic, _), count in zip(publishers, counts, strict=True) if count == 0]
        settled = time.monotonic() - since >= SETTLED_S
        if (not missing and settled) or time.monotonic() >= end:
            return missing
        rclpy.spin_once(node, timeout_sec=INTERRUPT_POLL_S)
    return []


class _Progress:
    """Reports about every second how far the replay is."""

    def __init__(self, total_s: float) -> None:
        self._total_s = total_s
        self._messages = 0
        self._elapsed_s = 0.0
        self._reported_s = 0.0

    def count(self, elapsed_s: float) -> None:
        self._messages += 1
        self._elapsed_s = elapsed_s
        if elapsed_s - self._reported_s >= PROGRESS_PERIOD_S:
            self._reported_s = elapsed_s
            self.report()

    def report(self) -> None:
        report(f"{self._elapsed_s:.1f} of {self._total_s:.1f} s, {self._messages} messages")
