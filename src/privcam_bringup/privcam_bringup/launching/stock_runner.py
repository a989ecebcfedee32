"""Runs a launch file with the stock launch service, and leaves nothing behind where it does."""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import launch
import psutil
from launch.actions import IncludeLaunchDescription, RegisterEventHandler
from launch.event_handlers import OnProcessExit, OnProcessStart
from launch.launch_description_sources import AnyLaunchDescriptionSource

from privcam_bringup.launching.runner import SIGKILL_AFTER_S, SIGTERM_AFTER_S


def run_stock(file: Path, arguments: Mapping[str, str]) -> int:
    """Run a launch file; a failed process makes the exit code 1, as with our own runner."""
    failed: dict[int, int] = {}

    def note_start(event: Any, _context: Any) -> None:
        failed.pop(id(event.action), None)

    def note_exit(event: Any, context: Any) -> None:
        if event.returncode and not context.is_shutdown:
            failed[id(event.action)] = event.returncode

    service = launch.LaunchService()
    service.include_launch_description(
        launch.LaunchDescription(
            [
                RegisterEventHandler(OnProcessStart(on_start=note_start)),
                RegisterEventHandler(OnProcessExit(on_exit=note_exit)),
                IncludeLaunchDescription(AnyLaunchDescriptionSource(str(file)), launch_arguments=arguments.items()),
            ]
        )
    )

    def end(_number: int, _frame: Any) -> None:
        if service.event_loop is None:  # it does not run yet, or no more
            raise SystemExit(1)

    # The service has a handler of its own for SIGTERM, which Python calls only where there is one of Python too.
    signal.signal(signal.SIGTERM, end)
    # It has none for SIGHUP. Where that is ignored (nohup), it stays so.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    try:
        return int(service.run() or bool(failed))
    finally:
        end_children()


def end_children() -> None:
    """End the processes that this one started and that still run.

    On SIGTERM the service returns at once and leaves them. Only they get signals, not what they started: the guard of
    the frame memory has to overwrite it after the camera has ended.
    """
    children = psutil.Process().children()
    ladder = ((signal.SIGINT, SIGTERM_AFTER_S), (signal.SIGTERM, SIGKILL_AFTER_S), (signal.SIGKILL, None))
    for number, timeout_s in ladder:
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.send_signal(number)
        _, children = psutil.wait_procs(children, timeout=timeout_s)
