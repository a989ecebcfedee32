"""`./privcam launch FILE [NAME:=VALUE ...]`."""

import argparse
import importlib.util
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from privcam_bringup.launching.graph_environment import graph_environment, shared_memory_warning
from privcam_bringup.launching.parser import parse
from privcam_bringup.launching.process_model import LaunchError
from privcam_bringup.launching.resources import resource
from privcam_bringup.launching.runner import Runner
from privcam_core.source_text import is_url, redact_text, require_no_secret


def main(argv: Sequence[str] | None = None) -> int:
    """Run a launch file, with the stock tool where it is installed, else with our own runner. Return the exit code."""
    parser = argparse.ArgumentParser(prog="privcam launch", description="Run a launch file.")
    parser.add_argument("file", help="path of a *.launch.xml file, or the name of one of ours, e.g. edge")
    parser.add_argument("arguments", nargs="*", metavar="NAME:=VALUE", help="values for the arguments of the file")
    options = parser.parse_args(argv)
    try:
        file = _find(options.file)
        arguments = _assignments(options.arguments)
        if importlib.util.find_spec("launch_ros") is not None:
            return _run_stock(file, arguments)
        return run(file, arguments)
    except (LaunchError, LookupError, ValueError) as error:
        sys.stderr.write(f"privcam launch: {error}\n")
        return 1


def run(file: Path, arguments: Mapping[str, str]) -> int:
    """Run a launch file with our own runner. Return the exit code. Raises LaunchError, LookupError, ValueError."""
    processes = parse(file, arguments)
    environment = graph_environment(_domain_id(os.environ.get("ROS_DOMAIN_ID", "0")))
    warning = shared_memory_warning(len(processes))
    if warning:
        logging.getLogger(__name__).warning(warning)
    return Runner(processes, environment=environment).run()


def _domain_id(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"ROS_DOMAIN_ID={text!r} is not a number")
    return int(text)


def _find(name: str) -> Path:
    path = Path(name)
    if path.suffix or path.exists():
        return path
    try:
        return resource(f"launch/{name}.launch.xml")
    except LookupError as error:
        raise LookupError(f"there is no launch file {name}; give the path of a *.launch.xml file") from error


def _assignments(words: Sequence[str]) -> dict[str, str]:
    arguments = {}
    for word in words:
        name, separator, value = word.partition(":=")
        if not separator or not name:
            raise ValueError(f"{redact_text(word)!r} is not of the form NAME:=VALUE")
        if is_url(value) or name == "source":
            require_no_secret(value)
        arguments[name] = value
    return arguments


def _run_stock(file: Path, arguments: Mapping[str, str]) -> int:
    """Run with the genuine launch service; a failed process makes the exit code 1, as with our own runner."""
    import launch
    from launch.actions import IncludeLaunchDescription, RegisterEventHandler
    from launch.event_handlers import OnProcessExit, OnProcessStart
    from launch.launch_description_sources import AnyLaunchDescriptionSource

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
    return int(service.run() or bool(failed))
