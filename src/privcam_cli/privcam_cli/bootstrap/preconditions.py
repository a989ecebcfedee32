"""What has to hold before anything is set up or started. Each failure is one line that says what to do.

Without these checks the same faults show late and elsewhere: as a message of CMake after minutes, as nodes that are
started again and again, or as a traceback of a logger.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

# A shebang ends at a blank, colcon's scripts split at some of the others, and the tools that make messages out of ROS
# definitions fail on letters beyond ASCII.
_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,@%=/~")
# Where packages of ROS 2 list themselves; one of them only loads the others.
# The kernel reads the first line of a script up to this many bytes; colcon makes scripts with our interpreter in it.
MAX_SHEBANG = 255
# Above it Fast DDS's ports reach into those that Linux hands out on its own.
MAX_DOMAIN_ID = 101
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
RMW_INDEX = "share/ament_index/resource_index/rmw_typesupport"


class Unmet(Exception):
    """A condition does not hold. The message says which, and what to do."""


def check_place(root: Path) -> None:
    """Raise Unmet where the checkout lies at a path that the tools of ROS 2 cannot handle."""
    wrong = sorted(set(str(root)) - _ALLOWED)
    if wrong:
        named = ", ".join("a blank" if character == " " else repr(character) for character in wrong)
        raise Unmet(f"{root}: the path of the checkout contains {named}; ROS 2 cannot build there: move the checkout")
    if len(f"#!{root}/.venv/bin/python") > MAX_SHEBANG:
        raise Unmet(f"{root}: the path of the checkout is too long for Linux to start scripts there: move the checkout")


def check_ros_variables(environment: Mapping[str, str]) -> None:
    """Raise Unmet where variables of ROS 2 name a middleware that is not there, a log folder that cannot be written, a
    domain that does not exist, or a profile of Fast DDS that is no file.

    environment: that of the processes that will be started. ROS_LOG_DIR and ROS_HOME are read as rcl_logging does.
    """
    wanted = environment.get("RMW_IMPLEMENTATION", "")
    known = _middlewares(environment.get("AMENT_PREFIX_PATH", ""))
    if wanted and wanted not in known:
        raise Unmet(
            f"RMW_IMPLEMENTATION={wanted}: this ROS 2 has no such middleware, only"
            f" {', '.join(sorted(known)) or 'none'}; unset it or install the package"
        )
    domain = environment.get("ROS_DOMAIN_ID") or "0"
    if not (domain.isascii() and domain.isdecimal() and int(domain) <= MAX_DOMAIN_ID):
        raise Unmet(f"ROS_DOMAIN_ID={domain[:40]}: is not a number from 0 to {MAX_DOMAIN_ID}; set one, or unset it")
    for name in PROFILE_VARIABLES:
        if environment.get(name) and not Path(environment[name]).is_file():
            raise Unmet(f"{name}={environment[name]}: is not a file, and Fast DDS would say nothing; unset it")
    home = Path(environment.get("HOME") or "/")
    given = environment.get("ROS_LOG_DIR")
    name = "ROS_LOG_DIR" if given else "ROS_HOME" if environment.get("ROS_HOME") else "HOME"
    logs = Path(given or f"{environment.get('ROS_HOME') or home / '.ros'}/log")
    logs = home / str(logs)[2:] if str(logs).startswith("~/") else logs
    there = next(folder for folder in (logs, *logs.absolute().parents) if folder.exists())
    problem = _write_problem(there)
    if problem:
        raise Unmet(
            f"{name}: ROS 2 cannot write its logs to {logs} ({there} takes no file: {problem}); set ROS_LOG_DIR"
        )


def _write_problem(folder: Path) -> str:
    """Return why no file can be made in a folder, empty where one can: for root every folder looks writable."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _middlewares(prefixes: str) -> set[str]:
    folders = (Path(prefix) / RMW_INDEX for prefix in prefixes.split(os.pathsep) if prefix)
    return {file.name for folder in folders if folder.is_dir() for file in folder.iterdir()} - {"rmw_implementation"}
