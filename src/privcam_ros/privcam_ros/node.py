"""The base of every privcam node: parameters, diagnostics, guarded callbacks, clean shutdown."""

import functools
import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterEvent
from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.timer import Timer
from rclpy.utilities import try_shutdown

from privcam_core.types.omega import InvalidOmega, SyncKey
from privcam_ros.conversions import key_from_msg
from privcam_ros.exact_join import ExactJoin
from privcam_ros.executors import NamespaceExecutors
from privcam_ros.launcher.launcher_watch import LauncherGone, end_with_launcher
from privcam_ros.launcher.start_report import report_start_error
from privcam_ros.middleware.shared_memory_files import restrict_shared_memory
from privcam_ros.parameters import NoParameterEvents, declare, reject_unknown
from privcam_ros.start_key import close_other_start_keys

P = TypeVar("P")

# QoS of parts of frames: reliable; a slow node delays others by at most `depth` messages.
STREAM = QoSProfile(
    history=QoSHistoryPolicy.KEEP_LAST,
    depth=8,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.VOLATILE,
)

# QoS of finished Ω for the queue on disk: an Ω that does not reach it is lost, so a gateway may lag by some seconds.
FINISHED = QoSProfile(
    history=QoSHistoryPolicy.KEEP_LAST,
    depth=128,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.VOLATILE,
)

DIAGNOSTICS_PERIOD_S = 1.0
# A part waits this long for the other parts of its frame; few frames wait, so a slow machine may take its time.
JOIN_TIMEOUT_S = 5.0
# What a node writes, only its user reads.
PRIVATE_UMASK = 0o077
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StartError(RuntimeError):
    """The node cannot start with its parameters or files. The message says what is wrong, where, and what to do."""


class PrivcamNode(Node, Generic[P]):
    """A node that reports every failure of a callback.

    When a callback raises, its frame is dropped (nothing is published for it), logged with its κ, and counted; the
    counters are in /diagnostics every second. `parameters` is a value of the frozen dataclass `kind`. `counts` and
    `diagnostics` are published as key and value. namespace: None for that of the process; a process with nodes of
    several cameras gives each its own.
    """

    def __init__(self, name: str, kind: type[P], namespace: str | None = None) -> None:
        # No service: parameters never change while a node runs, and any user of the host could read them over one.
        super().__init__(name, namespace=namespace, start_parameter_services=False)
        # Before anything is published: the middleware makes its files readable for everybody, whatever the umask is.
        # `_report` does it again, for what it makes later.
        restrict_shared_memory()
        self.parameters: P = declare(self, kind)
        self.counts: Counter[str] = Counter()
        self.diagnostics: dict[str, Any] = {}
        # What the diagnostics are about. The camera names its source too.
        self.hardware_id = self.get_namespace().strip("/") or "privcam"
        self._joins: list[ExactJoin] = []
        self._durations: list[float] = []
        self._error: str | None = None
        self._error_at = 0.0
        self._exit_code: int | None = None
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._report, callback_group=MutuallyExclusiveCallbackGroup())

    def on(
        self,
        topic: str,
        kind: type,
        callback: Callable[[SyncKey, Any], None],
        qos: QoSProfile = STREAM,
        *,
        timed: bool = True,
    ) -> None:
        """Call `callback(κ, message)` for every message on `topic`. timed: it counts as a frame in the diagnostics."""
        handler = functools.partial(self._deliver, topic, callback, timed=timed)
        self.create_subscription(kind, topic, handler, qos)

    def on_joined(
        self,
        topics: Sequence[tuple[str, type, QoSProfile]],
        callback: Callable[..., None],
        timeout_s: float = JOIN_TIMEOUT_S,
    ) -> None:
        """Call `callback(κ, part, part, ...)` when all parts of one frame have arrived, in the order of `topics`."""
        add = self._join([topic for topic, _, _ in topics], callback, timeout_s)
        for topic, kind, qos in topics:
            self.on(topic, kind, functools.partial(add, topic), qos, timed=False)

    def _join(
        self, topics: Sequence[str], callback: Callable[..., None], timeout_s: float
    ) -> Callable[[str, SyncKey, Any], None]:
        """Return what takes (topic, κ, message), and calls `callback` when all topics have sent theirs of a frame."""
        join = ExactJoin(topics, timeout_s=timeout_s)
        self._joins.append(join)

        def add(topic: str, key: SyncKey, message: Any) -> None:
            parts = join.add(topic, key, message, time.monotonic())
            if parts is not None:
                self._timed(callback, key, *parts)

        return add

    def _deliver(self, topic: str, callback: Callable[..., None], message: Any, *, timed: bool = True) -> None:
        try:
            key = key_from_msg(message if not hasattr(message, "key") else message.key)
        except InvalidOmega as error:
            self.fail(f"{topic}: dropped a message: {error}")
            return
        try:
            if timed:
                self._timed(callback, key, message)
            else:
                callback(key, message)
        except Exception as error:
            # The frame is dropped: after an unknown failure nothing may be published for it.
            self.fail(f"{topic}: frame {key.frame_id} dropped: {type(error).__name__}: {error}")

    def _timed(self, callback: Callable[..., object], *arguments: Any) -> None:
        started = time.perf_counter()
        callback(*arguments)
        self._durations.append(time.perf_counter() - started)
        self.counts["frames"] += 1

    def create_timer(
        self,
        timer_period_sec: float,
        callback: Callable[..., Any],
        callback_group: CallbackGroup | None = None,
        clock: Clock | None = None,
        autostart: bool = True,
    ) -> Timer:
        """Return a timer on the steady clock, also with use_sim_time.

        What nodes do by timers are diagnostics, timeouts and pictures on a screen: they go on while simulated time
        stands still, and their rate does not change with its speed.
        """
        clock = clock or Clock(clock_type=ClockType.STEADY_TIME)
        return super().create_timer(timer_period_sec, callback, callback_group, clock, autostart)

    def create_publisher(self, msg_type: type, topic: str, *arguments: Any, **named: Any) -> Any:
        """Return a publisher, but of values of parameters none: every user of the host could read them."""
        if msg_type is ParameterEvent:
            return NoParameterEvents()
        return super().create_publisher(msg_type, topic, *arguments, **named)

    def get_logger(self) -> RcutilsLogger:
        """Return the logger of this node; rclpy declares no type for it."""
        logger: RcutilsLogger = Node.get_logger(self)
        return logger

    def fail(self, text: str) -> None:
        """Log an error, count it, and show it in the diagnostics."""
        self.counts["errors"] += 1
        self._error = text
        self._error_at = time.monotonic()
        self.get_logger().error(text, throttle_duration_sec=1.0)

    def end(self, code: int) -> None:
        """End the process with this exit code after the running callback. Any thread may call it."""
        self._exit_code = code
        if self.executor is not None:
            self.executor.wake()

    @property
    def exit_code(self) -> int | None:
        """The exit code given to `end`; None before."""
        return self._exit_code

    def collect_diagnostics(self) -> None:
        """Update `counts` and `diagnostics` from other objects, before each report. Nodes may override this."""

    def status(self) -> tuple[bytes, str]:
        """Return the level and text of the diagnostics, without side effects. Nodes may override this."""
        if self._error is not None and time.monotonic() - self._error_at < 10 * DIAGNOSTICS_PERIOD_S:
            return DiagnosticStatus.ERROR, self._error
        return DiagnosticStatus.OK, "working" if self.counts["frames"] else "waiting for the first frame"

    def warning(self) -> str:
        """Return what to warn of where `status` is OK, empty for nothing. Bases of nodes may override this."""
        return ""

    def _report(self) -> None:
        restrict_shared_memory()
        self._expire_joins()
        self.collect_diagnostics()
        durations, self._durations = sorted(self._durations), []
        values: dict[str, Any] = {**self.counts, **self.diagnostics}
        values["waiting"] = sum(len(join) for join in self._joins)
        if durations:
            values["median_ms"] = f"{1e3 * durations[len(durations) // 2]:.2f}"
            values["p95_ms"] = f"{1e3 * durations[int(0.95 * (len(durations) - 1))]:.2f}"
            values["busy"] = f"{sum(durations) / DIAGNOSTICS_PERIOD_S:.2f}"
        level, text = self.status()
        if level == DiagnosticStatus.OK and self.warning():
            level, text = DiagnosticStatus.WARN, self.warning()
        status = DiagnosticStatus(level=level, name=self.get_fully_qualified_name(), message=text)
        status.hardware_id = self.hardware_id
        status.values = [KeyValue(key=name, value=str(value)) for name, value in values.items()]
        report = DiagnosticArray(status=[status])
        report.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics_publisher.publish(report)

    def _expire_joins(self) -> None:
        now = time.monotonic()
        for join in self._joins:
            join.expire(now)
        self.counts["dropped"] = sum(join.dropped for join in self._joins)
        self.counts["late"] = sum(join.late for join in self._joins)

    def stop(self) -> None:
        """Release resources that outlive the node. Called once, at the end."""


def run(*factories: Callable[[], PrivcamNode[Any]]) -> int:
    """Run the nodes until a signal, the end of their launcher, or a call of `end`. Return the exit code."""
    return run_all(factory() for factory in factories)


def run_all(nodes_to_run: Iterable[PrivcamNode[Any]]) -> int:
    """Run nodes as `run` does, those of each namespace on a thread of their own.

    nodes_to_run: creates each node when it is iterated, after ROS was initialised.
    """
    os.umask(PRIVATE_UMASK)
    close_other_start_keys()
    executors = NamespaceExecutors()
    ending = threading.Event()

    def end(_signal: int, _frame: Any) -> None:
        ending.set()
        executors.wake()

    for number in END_SIGNALS:
        # SIGHUP stays ignored below nohup. Not so SIGINT, which a shell ignores for what it starts in the background.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        end_with_launcher()
    except LauncherGone as error:
        print(f"privcam: {error}", file=sys.stderr, flush=True)
        return 1
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    nodes: list[PrivcamNode[Any]] = []
    code = 0
    try:
        for node in nodes_to_run:
            nodes.append(node)
            executors.add_node(node)
            if ending.is_set():
                return 0
        reject_unknown(nodes)
        executors.start()
        for node in nodes:
            node.get_logger().info("ready")
        while not ending.is_set():
            executors.spin_once()
            exit_codes = [node.exit_code for node in nodes if node.exit_code is not None]
            if exit_codes:
                code = max(exit_codes)
                break
    except (ExternalShutdownException, KeyboardInterrupt):
        pass
    except Exception as error:
        _report_failure(error, nodes)
        code = 1
    finally:
        executors.shutdown()
        for node in nodes:
            node.stop()
        for node in nodes:
            Node.destroy_node(node)
        try_shutdown()
    return code


def _report_failure(error: Exception, nodes: Sequence[PrivcamNode[Any]]) -> None:
    """Tell which node failed, and why, on standard error and on /rosout."""
    # The innermost node on the way to the error; while it is constructed it is in no list.
    within = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    failed = [node for node in within if isinstance(node, PrivcamNode)] or (list(nodes) if len(nodes) == 1 else [])
    name = failed[-1].get_name() if failed else Path(sys.argv[0]).name
    text = f"{type(error).__name__}: {error}"
    print(f"privcam: {name}: {text}", file=sys.stderr, flush=True)
    speaker = (*nodes, *failed)[-1:]
    if speaker:
        report_start_error(speaker[0], name, text)
