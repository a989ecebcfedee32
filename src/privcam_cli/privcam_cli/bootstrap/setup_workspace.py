"""Brings a checkout to the point where every command runs: the order of the set-up steps and what each depends on."""

import os
from pathlib import Path

from privcam_cli.bootstrap import setup_steps
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


def prepare(root: Path, *, with_models: bool, with_tools: bool) -> bool:
    """Run the steps that are not done yet. Return whether the workspace lies on a ROS 2 that the user has sourced.

    Raises SetupError.
    """

    def say(text: str) -> None:
        print(f"[setup] {text}", flush=True)

    with only_one(root / ".privcam/setup.lock", say):
        python = setup_steps.find_python()
        underlay = find_underlay(root, os.environ, python)
        sourced = underlay is not None
        ledger = Ledger(root / ".privcam/setup.json")
        requirements = root / "requirements"
        wheels = [requirements / "run.txt"] if sourced else [requirements / "ros.txt", requirements / "run.txt"]
        # Each step is done anew when anything before it changed: its inputs contain those of the step before. Of the
        # user's environment only the place of ROS 2 counts: not our own install folder, and not a further workspace.
        origin = f"{python} {underlay or 'wheels'}"
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
    return sourced


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
