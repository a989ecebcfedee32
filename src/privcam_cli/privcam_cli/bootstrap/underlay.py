"""Finds the ROS 2 that the user has sourced, if there is one that can be used.

The workspace itself is no underlay: after `source install/local_setup.bash` its own folders are in the same variables
as those of a ROS 2, and ROS_DISTRO alone says only that some environment was made. So a ROS 2 counts as sourced when
its rclpy lies outside of this checkout and can be imported.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

DISTRO = "jazzy"
# Colon-separated variables that a ROS 2 installation and a colcon workspace put their folders into.
PATH_VARIABLES = ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
# Below a prefix: how Debian and how others name the folder of Python packages.
PYTHON_FOLDERS = ("lib/python3*/site-packages", "lib/python3*/dist-packages", "local/lib/python3*/dist-packages")
# Result of the last import of rclpy, by everything that it depends on.
CACHE = ".privcam/underlay.json"
IMPORT_TIMEOUT_S = 120.0


def without_workspace(root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of an environment without the folders of this checkout (.venv, install, build) in its paths."""
    cleaned = dict(environment)
    for name in PATH_VARIABLES:
        if name in environment:
            cleaned[name] = os.pathsep.join(_foreign_entries(root, environment, name))
            if not cleaned[name]:
                del cleaned[name]
    return cleaned


def find_underlay(root: Path, environment: Mapping[str, str], python: str) -> Path | None:
    """Return the folder above rclpy of a sourced ROS 2 Jazzy that is not ours, None if there is none.

    root: of the checkout. environment: of the user. python: the interpreter that has to be able to import rclpy.
    Without a candidate this reads a few folder names; with one it starts `python` once and keeps the result.
    """
    if environment.get("ROS_DISTRO") != DISTRO:
        return None
    cleaned = without_workspace(root, environment)
    rclpy = next(_candidates(cleaned), None)
    if rclpy is None:
        return None
    return rclpy.parent if _can_be_imported(root, rclpy, cleaned, python) else None


def _foreign_entries(root: Path, environment: Mapping[str, str], name: str) -> list[str]:
    entries = [entry for entry in environment.get(name, "").split(os.pathsep) if entry]
    return [entry for entry in entries if not Path(entry).resolve().is_relative_to(root.resolve())]


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield folders of the name rclpy on the path of Python and below the prefixes of ament."""
    for entry in environment.get("PYTHONPATH", "").split(os.pathsep):
        if entry and (Path(entry) / "rclpy" / "__init__.py").is_file():
            yield Path(entry) / "rclpy"
    for entry in environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        for folder in PYTHON_FOLDERS if entry else ():
            for found in sorted(Path(entry).glob(f"{folder}/rclpy/__init__.py")):
                yield found.parent


def _can_be_imported(root: Path, rclpy: Path, environment: Mapping[str, str], python: str) -> bool:
    paths = {name: environment.get(name, "") for name in PATH_VARIABLES}
    changed_ns = (rclpy / "__init__.py").stat().st_mtime_ns
    inputs = json.dumps([python, str(rclpy), changed_ns, paths], sort_keys=True)
    cache = root / CACHE
    try:
        kept = json.loads(cache.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        kept = {}
    if inputs in kept:
        return bool(kept[inputs])
    # PYTHONHOME is left by an interpreter of another prefix that starts us; it would hide the standard library.
    clean = {name: value for name, value in environment.items() if name != "PYTHONHOME"}
    command = [python, "-c", "import rclpy"]
    try:
        done = subprocess.run(command, env=clean, capture_output=True, check=False, timeout=IMPORT_TIMEOUT_S)
        importable = done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        importable = False
    cache.parent.mkdir(exist_ok=True)
    cache.write_text(json.dumps({inputs: importable}))
    return importable
