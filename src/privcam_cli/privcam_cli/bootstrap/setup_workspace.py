"""Brings a checkout to the point where every command runs: the order of the set-up steps and what each depends on."""

import os
from collections.abc import Callable
from pathlib import Path

from privcam_cli.bootstrap import setup_steps
from privcam_cli.bootstrap.browser import install_browser
from privcam_cli.bootstrap.running_processes import processes_using
from privcam_cli.bootstrap.setup_environment import venv_python
from privcam_cli.bootstrap.setup_ledger import Ledger, only_one
from privcam_cli.bootstrap.setup_steps import INCOMPLETE, SetupError, digest
from privcam_cli.bootstrap.underlay import DISTRO, find_underlay

SYSTEM = "system packages"
VENV = "virtual environment"
PACKAGES = "Python packages (some minutes)"
WORKSPACE = "workspace"
MODELS = "models"
TEST_TOOLS = "test tools"
BROWSER = "browser of the tests"
# In the place of a sourced ROS 2: there is none, its wheels are in `.venv`.
WHEELS = "wheels"


def prepare(root: Path, *, with_models: bool, with_tools: bool, may_change_ros: bool = True) -> bool:
    """Run the steps that are not done yet. Return whether the workspace lies on a ROS 2 that the user has sourced.

    may_change_ros: whether `.venv` may be made anew because another ROS 2, or another Python, is there than when it was
    made; a terminal in which something was sourced is no wish to lose it. Raises SetupError.
    """

    def say(text: str) -> None:
        print(f"[setup] {text}", flush=True)

    with only_one(root / ".privcam/setup.lock", say):
        ledger = Ledger(root / ".privcam/setup.json")
        is_complete = venv_python(root).exists() and not (root / INCOMPLETE).exists()
        kept = ledger.inputs_of(VENV) if is_complete and not may_change_ros else None
        python, _, kept_ros = kept.rpartition(" ") if kept else (setup_steps.find_python(), "", "")
        underlay = find_underlay(root, os.environ, python)
        if kept:
            underlay = _kept_underlay(root, kept_ros, underlay, say)
        sourced = underlay is not None
        requirements = root / "requirements"
        wheels = [requirements / "run.txt"] if sourced else [requirements / "ros.txt", requirements / "run.txt"]
        # Each step is done anew when anything before it changed: its inputs contain those of the step before. Of the
        # user's environment only the place of ROS 2 counts: not our own install folder, and not a further workspace.
        origin = f"{python} {underlay or WHEELS}"
        packages = f"{origin} {digest(wheels)}"
        workspace = f"{packages} {digest(_workspace_sources(root))}"
        if (root / INCOMPLETE).exists():
            ledger.forget(VENV, PACKAGES, WORKSPACE, TEST_TOOLS)
        elif not venv_python(root).exists():
            ledger.forget()
        if not (root / "install/local_setup.sh").exists():
            ledger.forget(WORKSPACE)
        if not setup_steps.model_cache().is_dir():
            ledger.forget(MODELS)

        changes_venv = ledger.needs(VENV, origin) or ledger.needs(PACKAGES, packages)
        if changes_venv or (ledger.needs(WORKSPACE, workspace) and setup_steps.stale_packages(root)):
            _require_unused(root / ".venv")
        if changes_venv and os.environ.get("ROS_DISTRO") and not sourced:
            say(f"no ROS 2 {DISTRO} is sourced that {python} can import: wheels of ROS 2 are used")
        ledger.run(SYSTEM, origin, lambda: setup_steps.install_system_packages(root), say)
        ledger.run(
            VENV,
            origin,
            lambda: setup_steps.make_venv(root, sourced=sourced),
            say,
            followers=(PACKAGES, WORKSPACE, TEST_TOOLS),
        )
        ledger.run(
            PACKAGES,
            packages,
            lambda: setup_steps.install_packages(root, wheels, sourced=sourced),
            say,
            followers=(WORKSPACE, TEST_TOOLS),
        )
        ledger.run(WORKSPACE, workspace, lambda: setup_steps.build(root, sourced=sourced), say)
        if with_models:
            manifest = root / "src/privcam_core/privcam_core/models/models.yaml"
            inputs = f"{setup_steps.model_cache()} {digest([manifest])}"
            ledger.run(MODELS, inputs, lambda: setup_steps.import_models(root, sourced=sourced), say)
        if with_tools:
            tools = [requirements / "dev.txt", requirements / "generative.txt"]
            inputs = f"{packages} {digest(tools)}"
            ledger.run(TEST_TOOLS, inputs, lambda: setup_steps.install_requirements(root, tools), say)
            ledger.run(BROWSER, origin, lambda: install_browser(root, say), say)
    return sourced


def _kept_underlay(root: Path, kept: str, found: Path | None, say: Callable[[str], None]) -> Path | None:
    """Return the ROS 2 that `.venv` was made for, None for the wheels. Raises SetupError if it is not sourced now."""
    if kept == WHEELS:
        if found is not None:
            say(f"uses the wheels of ROS 2 as before, not the one at {found}; to change that: ./privcam setup")
        return None
    if str(found) != kept:
        raise SetupError(
            f"{root / '.venv'} was made for the ROS 2 at {kept}, and "
            + (f"the one at {found} is sourced" if found else "none is sourced that can be imported")
            + "; source that one, or make everything anew with ./privcam setup"
        )
    return found


def _workspace_sources(root: Path) -> list[Path]:
    """Return the files after whose change the workspace is built again; plain Python sources are linked, not copied."""
    sources = [root / "colcon.meta", *(root / "src").glob("*/msg/*.msg")]
    for name in ("package.xml", "setup.py", "setup.cfg", "CMakeLists.txt"):
        sources += (root / "src").glob(f"*/{name}")
    return sources


def _require_unused(venv: Path) -> None:
    """Raise SetupError while other processes run from `.venv`: something that they use is about to be removed."""
    processes = processes_using(venv)
    if processes:
        named = ", ".join(f"{pid} ({name})" for pid, name in sorted(processes.items()))
        raise SetupError(
            f"{venv} or the built packages have to be changed, but processes run from it: {named}. "
            "End them and try again."
        )
