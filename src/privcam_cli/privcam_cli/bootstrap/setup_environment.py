"""The environment variables under which every privcam process runs."""

import os
import sys
from pathlib import Path

from privcam_cli.bootstrap.underlay import without_workspace


def venv_python(root: Path) -> Path:
    """The interpreter of the project's virtual environment."""
    return root / ".venv" / "bin" / "python"


def base_environment(root: Path, *, sourced: bool) -> dict[str, str]:
    """Variables for ROS 2 itself: the user's own where they sourced one, else the wheels in `.venv`."""
    environment = without_workspace(root, os.environ)
    venv = root / ".venv"
    # A Python of another prefix that re-executes us may have left this behind; a venv must not inherit it.
    environment.pop("PYTHONHOME", None)
    environment["VIRTUAL_ENV"] = str(venv)
    environment["PATH"] = f"{venv / 'bin'}{os.pathsep}{environment.get('PATH', os.defpath)}"
    environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    # ONNX Runtime would write a device id into the home folder and send usage events.
    environment["ORT_DISABLE_TELEMETRY"] = "1"
    # As in the nodes (launch/environment.launch.xml): matrices are small, and threads that wait take processor time.
    environment.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sourced:
        return environment
    environment["ROS_DISTRO"] = "jazzy"
    environment["ROS_VERSION"] = "2"
    environment["ROS_PYTHON_VERSION"] = "3"
    environment["AMENT_PREFIX_PATH"] = str(venv)
    environment["CMAKE_PREFIX_PATH"] = str(venv)
    environment.pop("COLCON_PREFIX_PATH", None)
    environment.pop("PYTHONPATH", None)
    # The wheels' own start-up hook would run Python twice to set the library path; here it is set at once.
    environment["_ROS_WHEELS_BOOTSTRAP_COMPLETE"] = "1"
    site = next((venv / "lib").glob("python3*/site-packages"), venv)
    libraries = [venv / "lib", *sorted(site.glob("ros_*.libs"))]
    environment["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, libraries))
    return environment


def command_line(root: Path, arguments: list[str], *, sourced: bool) -> tuple[list[str], dict[str, str]]:
    """Return argv and environment that run `.venv`'s Python with `arguments` inside the built workspace."""
    environment = base_environment(root, sourced=sourced)
    script = f'. "{root}/install/local_setup.sh" && exec "$0" "$@"'
    # colcon's script needs to be told where it lies when it is read by a plain sh.
    environment["COLCON_CURRENT_PREFIX"] = str(root / "install")
    environment["COLCON_PYTHON_EXECUTABLE"] = sys.executable
    return ["/bin/sh", "-c", script, str(venv_python(root)), *arguments], environment
