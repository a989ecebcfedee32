"""`./privcam launch FILE [NAME:=VALUE ...]`."""

import argparse
import importlib.util
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from privcam_bringup.launching.argument_checks import require_given_once, require_usable
from privcam_bringup.launching.graph_environment import graph_environment, shared_memory_warning
from privcam_bringup.launching.parser import parse
from privcam_bringup.launching.process_model import LaunchError, Process, UnknownArgument
from privcam_bringup.launching.resources import resource
from privcam_bringup.launching.runner import Runner
from privcam_core.source_text import is_url, redact_source, require_no_secret


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
    processes = _parse(file, arguments)
    environment = graph_environment(_domain_id(os.environ.get("ROS_DOMAIN_ID") or "0"))
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
    require_given_once(word.partition(":=")[0] for word in words)
    arguments = {}
    for word in words:
        name, separator, value = word.partition(":=")
        if not separator or not name:
            raise ValueError(f"{redact_source(word)!r} is not of the form NAME:=VALUE")
        if is_url(value) or name == "source":
            require_no_secret(value)
        arguments[name] = value
    return arguments


def _parse(file: Path, arguments: Mapping[str, str]) -> list[Process]:
    """Return the processes, after the values were checked. A misspelt name is told first, then a value by its name.

    In a file of the user's own the names may mean something else.
    """
    ours = file.resolve().parent == resource("launch/edge.launch.xml").resolve().parent
    try:
        processes = parse(file, arguments)
    except UnknownArgument:
        raise
    except LaunchError:
        require_usable(arguments if ours else {})
        raise
    require_usable(arguments if ours else {})
    return processes


def _run_stock(file: Path, arguments: Mapping[str, str]) -> int:
    """Run with the stock tool. It ignores arguments that no file declares; these are refused here, as by ours."""
    from privcam_bringup.launching.stock_runner import run_stock

    try:
        _parse(file, arguments)
    except UnknownArgument:
        raise
    except LaunchError:
        pass  # the stock tool knows more elements than our parser, and judges them itself
    return run_stock(file, arguments)
