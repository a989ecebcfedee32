"""Which set-up steps are done, which are skipped, and what is said."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from privcam_cli.__main__ import COMMANDS
from privcam_cli.bootstrap import USAGE, main, setup_steps
from privcam_cli.bootstrap.setup_environment import base_environment
from privcam_cli.bootstrap.setup_ledger import Ledger
from privcam_cli.bootstrap.setup_steps import SetupError
from privcam_cli.bootstrap.setup_workspace import prepare

Say = Callable[[str], None]
PACKAGE = Path(setup_steps.__file__).parents[2]


def silent(_text: str) -> None:
    pass


class Steps:
    """A workspace in which every step of the set-up is only noted."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.done: list[str] = []
        self.installed: list[str] = []
        for name in ("ros.txt", "run.txt", "dev.txt", "generative.txt"):
            self.write(f"requirements/{name}", "")
        self.write("colcon.meta", "")
        self.write("src/privcam_core/privcam_core/models/models.yaml", "")
        self.message = self.write("src/privcam_msgs/msg/Omega.msg", "uint32 schema")
        self.models = root / "models"
        monkeypatch.setenv("PRIVCAM_MODELS", str(self.models))

        def install(_root: Path, files: list[Path]) -> None:
            self.done.append("packages")
            self.installed += [file.name for file in files]

        def make_venv(_root: Path, *, sourced: bool) -> None:
            self.done.append(f"venv{' over ROS' if sourced else ''}")
            self.write(".venv/bin/python", "")

        def build(_root: Path, *, sourced: bool) -> None:
            self.done.append(f"build{' on ROS' if sourced else ''}")
            self.write("install/local_setup.sh", "")

        def import_models(_root: Path, *, sourced: bool) -> None:
            self.done.append(f"models{' on ROS' if sourced else ''}")
            self.models.mkdir(exist_ok=True)

        monkeypatch.setattr(setup_steps, "install_system_packages", lambda _root: self.done.append("system"))
        monkeypatch.setattr(setup_steps, "fix_wheel_paths", lambda _root: self.done.append("fix"))
        monkeypatch.setattr(setup_steps, "install_requirements", install)
        monkeypatch.setattr(setup_steps, "make_venv", make_venv)
        monkeypatch.setattr(setup_steps, "probe", lambda _python, _environment: {"numpy": "1.26.4", "cv2": ""})
        monkeypatch.setattr(setup_steps, "build", build)
        monkeypatch.setattr(setup_steps, "import_models", import_models)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def prepare(self, *, with_models: bool = True, with_tools: bool = False, may_change_ros: bool = True) -> list[str]:
        self.done.clear()
        self.installed.clear()
        prepare(self.root, with_models=with_models, with_tools=with_tools, may_change_ros=may_change_ros)
        return list(self.done)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    return Steps(tmp_path, monkeypatch)


def source_ros(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an installation of ROS 2 that has nothing but an rclpy, and source it. Return its folder of modules."""
    prefix = folder / "opt/ros/jazzy"
    modules = prefix / "lib/python3/site-packages"
    (modules / "rclpy").mkdir(parents=True)
    (modules / "rclpy/__init__.py").touch()
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(prefix))
    monkeypatch.setenv("PYTHONPATH", str(modules))
    return modules


def test_step_runs_once_and_again_only_when_its_inputs_change(tmp_path: Path) -> None:
    ran: list[str] = []
    said: list[str] = []
    for inputs in ("a", "a", "b", "b"):
        Ledger(tmp_path / "x/setup.json").run("build", inputs, lambda: ran.append("build"), said.append)
    assert len(ran) == 2
    assert said[0] == "build ..."
    assert said[1].startswith("build: done in ")


def test_step_that_failed_runs_again(tmp_path: Path) -> None:
    def fail() -> None:
        raise SetupError("no room")

    ledger = Ledger(tmp_path / "setup.json")
    with pytest.raises(SetupError):
        ledger.run("build", "a", fail, silent)
    ran: list[int] = []
    Ledger(tmp_path / "setup.json").run("build", "a", lambda: ran.append(1), silent)
    assert ran


@pytest.mark.parametrize("torn", ["", "{", '{"build": '])
def test_torn_record_means_that_nothing_is_done(tmp_path: Path, torn: str) -> None:
    (tmp_path / "setup.json").write_text(torn)
    ran: list[int] = []
    Ledger(tmp_path / "setup.json").run("build", "a", lambda: ran.append(1), silent)
    assert ran
    assert json.loads((tmp_path / "setup.json").read_text()) == {"build": "a"}


def test_first_start_does_everything_and_the_second_nothing(workspace: Steps) -> None:
    assert workspace.prepare() == ["system", "venv", "packages", "fix", "build", "models"]
    assert workspace.prepare() == []


def test_changed_message_builds_the_workspace_anew_and_nothing_else(workspace: Steps) -> None:
    workspace.prepare()
    workspace.message.write_text("uint32 schema\nuint32 more")
    assert workspace.prepare() == ["build"]


def test_changed_requirements_are_installed_before_the_workspace_is_built(workspace: Steps) -> None:
    workspace.prepare()
    workspace.write("requirements/run.txt", "numpy==2.2.6")
    assert workspace.prepare() == ["packages", "fix", "build"]


def test_what_was_deleted_is_made_again(workspace: Steps) -> None:
    workspace.prepare()
    (workspace.root / "install/local_setup.sh").unlink()
    assert workspace.prepare() == ["build"]
    workspace.models.rmdir()
    assert workspace.prepare() == ["models"]
    (workspace.root / ".venv/bin/python").unlink()
    assert workspace.prepare()[:3] == ["system", "venv", "packages"]


def test_models_and_test_tools_come_only_where_they_are_needed(workspace: Steps) -> None:
    assert "models" not in workspace.prepare(with_models=False)
    assert workspace.prepare(with_tools=True) == ["models", "packages"]
    assert workspace.installed == ["dev.txt", "generative.txt"]


def test_without_ros_its_wheels_are_installed(workspace: Steps) -> None:
    workspace.prepare()
    assert workspace.installed == ["ros.txt", "run.txt"]


def test_with_a_sourced_ros_its_wheels_are_not_installed(
    workspace: Steps, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    source_ros(tmp_path_factory.mktemp("ros"), monkeypatch)
    done = workspace.prepare()
    assert workspace.installed == ["requirements.txt"]
    assert done == ["system", "venv over ROS", "packages", "build on ROS", "models on ROS"]


def test_change_between_sourced_ros_and_wheels_makes_everything_anew(
    workspace: Steps, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.prepare()
    source_ros(tmp_path_factory.mktemp("ros"), monkeypatch)
    assert "venv over ROS" in workspace.prepare()


def test_ros_that_comes_does_not_cost_the_environment(
    workspace: Steps,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workspace.prepare(may_change_ros=False)
    source_ros(tmp_path_factory.mktemp("ros"), monkeypatch)
    assert workspace.prepare(may_change_ros=False) == []
    assert "uses the wheels of ROS 2 as before" in capsys.readouterr().out
    workspace.message.write_text("uint32 more")
    assert workspace.prepare(may_change_ros=False) == ["build"]
    assert "venv over ROS" in workspace.prepare()


def test_ros_that_goes_is_missed_and_its_environment_kept(
    workspace: Steps, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = source_ros(tmp_path_factory.mktemp("ros"), monkeypatch)
    workspace.prepare(may_change_ros=False)
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.delenv("AMENT_PREFIX_PATH")
    with pytest.raises(SetupError, match=rf"was made for the ROS 2 at {modules}, and none is sourced.*privcam setup"):
        workspace.prepare(may_change_ros=False)
    assert workspace.done == []
    monkeypatch.setenv("PYTHONPATH", str(modules))
    assert workspace.prepare(may_change_ros=False) == []


def test_further_workspaces_on_a_sourced_ros_change_nothing(
    workspace: Steps, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = source_ros(tmp_path_factory.mktemp("ros"), monkeypatch)
    workspace.prepare()
    more = tmp_path_factory.mktemp("more")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{more}{os.pathsep}{os.environ['AMENT_PREFIX_PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{more}{os.pathsep}{workspace.root / 'install/lib'}{os.pathsep}{modules}")
    assert workspace.prepare() == []


def test_environment_in_use_is_not_made_anew_and_stays_complete(
    workspace: Steps,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workspace.prepare()
    python = workspace.root / ".venv/bin/python"
    python.unlink()
    python.symlink_to(sys.executable)
    with subprocess.Popen([python, "-c", "input()"], stdin=subprocess.PIPE, env={}) as node:
        with monkeypatch.context() as sourced:
            source_ros(tmp_path_factory.mktemp("ros"), sourced)
            assert main(workspace.root, ["setup"]) == 1
        assert f"processes run from it: {node.pid} (" in capsys.readouterr().err
        assert workspace.prepare() == []
        node.communicate()


def test_environment_keeps_ros_on_this_host_and_the_runtime_silent(tmp_path: Path) -> None:
    environment = base_environment(tmp_path, sourced=False)
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"
    assert environment["AMENT_PREFIX_PATH"] == str(tmp_path / ".venv")
    assert "PYTHONPATH" not in environment


def found_by(python: Path) -> str:
    """Return which Python the set-up would build on, started with this one."""
    script = (
        f"import sys; sys.path.insert(0, {str(PACKAGE)!r})\nfrom privcam_cli.bootstrap.setup_steps import find_python"
    )
    reply = subprocess.run(
        [python, "-c", f"{script}; print(find_python())"], capture_output=True, text=True, env={}, check=True
    )
    return reply.stdout.strip()


def test_started_inside_our_own_environment_the_python_is_the_one_that_it_was_made_from(tmp_path: Path) -> None:
    outside = Path(sys.base_prefix, "bin", "python3")
    subprocess.run([outside, "-m", "venv", "--without-pip", tmp_path / ".venv"], env={}, check=True)
    inside = found_by(tmp_path / ".venv/bin/python")
    assert inside == found_by(outside)
    assert tmp_path not in Path(inside).parents


def test_failed_command_shows_the_end_of_what_it_said(tmp_path: Path) -> None:
    script = "import sys\nfor n in range(50): print('line', n)\nsys.exit(3)"
    with pytest.raises(SetupError) as raised:
        setup_steps.run([sys.executable, "-c", script], log=tmp_path / "log/step.log")
    text = str(raised.value)
    assert "ended with 3" in text
    assert str(tmp_path / "log/step.log") in text
    assert "line 49" in text
    assert "line 1\n" not in text


def test_usage_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert {line.split()[0] for line in USAGE.splitlines()[2:] if line.strip()} == {*COMMANDS, "setup"}
    assert main(Path("/nowhere"), ["--help"]) == 0
    assert main(Path("/nowhere"), []) == 2
    assert capsys.readouterr().out.count("usage: ./privcam COMMAND") == 2


def test_failed_set_up_ends_with_its_reason(
    workspace: Steps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_root: Path) -> None:
        raise SetupError("missing on this machine: gcc. Run: sudo apt-get install gcc")

    monkeypatch.setattr(setup_steps, "install_system_packages", fail)
    assert main(workspace.root, ["demo"]) == 1
    assert "privcam: set-up stopped: missing on this machine: gcc" in capsys.readouterr().err


def test_unknown_command_is_refused_with_the_known_ones() -> None:
    command = [sys.executable, "-m", "privcam_cli", "dmeo"]
    refused = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
    assert refused.returncode == 2
    assert "no command 'dmeo'; there are: demo, check" in refused.stderr
