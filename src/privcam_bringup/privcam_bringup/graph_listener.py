"""A ROS 2 node in a thread of its own, which listens to a running graph."""

import threading
from types import TracebackType
from typing import Any, TypeVar

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

Self = TypeVar("Self", bound="Listener")


class Listener:
    """A node in a ROS context and a thread of its own, which spins for as long as the block around it runs.

    A subclass subscribes with `node`, stores the messages and calls `_notify`; a waiting thread waits at `_changed`.
    An error in a callback is raised at the end of the block: a listener that died must not look like a quiet graph.
    options: of the node.
    """

    def __init__(self, name: str, domain_id: int, **options: Any) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self.node = Node(name, context=self._context, **options)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._spin, name=name)

    def __enter__(self: Self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()
        self._context.try_shutdown()
        if self._error is not None and error is None:
            raise self._error

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        except BaseException as error:
            self._error = error
            self._notify()

    def _notify(self) -> None:
        """Wake the threads that wait for a message."""
        with self._changed:
            self._changed.notify_all()
