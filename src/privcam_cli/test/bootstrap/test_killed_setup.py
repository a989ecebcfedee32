"""The real set-up code, killed with SIGKILL in the middle of each step: the next start ends well."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fake_installers import HANG_LIMIT_S, FakeMachine

from privcam_cli.bootstrap import setup_workspace
from privcam_cli.bootstrap.setup_steps import INCOMPLETE

PACKAGE = Path(setup_workspace.__file__).parents[2]
CHECKOUT = PACKAGE.parents[1]
START = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(PACKAGE)!r})
from privcam_cli.bootstrap import main
sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
"""
# By command: `test` needs everything.
STEPS = ["system", "venv", "packages", "workspace", "models", "tools", "browser"]
# Apt is never killed: it ends its work, and the next start waits for it and finds nothing missing.
BY_APT = ("system", "browser")
# Step that was killed -> steps that the next start runs. pip may have left a package that only looks complete, so a
# killed pip costs the whole environment; nothing else is done twice.
REPEATED = {
    "system": ["system", *STEPS[1:]],
    "venv": STEPS[1:],
    "packages": STEPS[1:],
    "workspace": STEPS[3:],
    "models": STEPS[4:],
    "tools": STEPS[5:],
    "browser": ["browser"],
}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root installs system packages")


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def start(machine: FakeMachine, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", START, str(machine.root), *arguments]
    return subprocess.Popen(
        command,
        env=machine.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(machine: FakeMachine, *arguments: str) -> tuple[int, str]:
    with start(machine, *arguments) as process:
        output, _ = process.communicate(timeout=HANG_LIMIT_S)
    return process.returncode, output


@needs_root
@pytest.mark.parametrize("step", STEPS)
def test_set_up_that_was_killed_in_a_step_is_completed_by_the_next_start(machine: FakeMachine, step: str) -> None:
    machine.hold(step)
    with start(machine, "test") as killed:
        assert machine.wait_until_held() == step
        killed.send_signal(signal.SIGKILL)
        assert killed.wait(HANG_LIMIT_S) == -signal.SIGKILL
        machine.hold("")
        if step in BY_APT:
            machine.let_go()
    assert machine.take_steps() == STEPS[: STEPS.index(step) + 1]

    code, output = run(machine, "test")
    assert code == 0, output
    assert output.splitlines()[-1] == "ran test"
    assert machine.take_steps() == REPEATED[step][step in BY_APT :]
    assert_complete(machine)

    assert run(machine, "test") == (0, "ran test\n")
    assert machine.take_steps() == []


def assert_complete(machine: FakeMachine) -> None:
    """Everything that the steps make is there, and nothing says that it is not complete."""
    site = next((machine.root / ".venv/lib").glob("python3*/site-packages"))
    assert (site / "packages.complete").exists()
    assert (site / "tools.complete").exists()
    assert not (machine.root / INCOMPLETE).exists()
    assert "exit 9" not in (machine.root / "install/local_setup.sh").read_text()
    done = json.loads((machine.root / ".privcam/setup.json").read_text())
    assert len(done) == len(STEPS)


@needs_root
@pytest.mark.parametrize("step", ["venv", "packages", "workspace"])
def test_step_that_is_killed_when_it_runs_again_is_not_believed_to_be_done(machine: FakeMachine, step: str) -> None:
    """The first set-up was complete: its record of this step and of those after it must not survive."""
    assert run(machine, "setup")[0] == 0
    machine.take_steps()
    changed = {"venv": ".venv/.incomplete", "packages": "requirements/run.txt", "workspace": "colcon.meta"}[step]
    (machine.root / changed).write_text("changed")
    machine.hold(step)
    with start(machine, "setup") as killed:
        assert machine.wait_until_held() == step
        killed.send_signal(signal.SIGKILL)
        killed.wait(HANG_LIMIT_S)
    machine.hold("")
    machine.take_steps()
    # The change is taken back: with the inputs of the first set-up, an old record would say that all is done.
    (machine.root / changed).unlink(missing_ok=True)
    if step != "venv":
        (machine.root / changed).touch()
    assert run(machine, "setup")[0] == 0
    assert machine.take_steps()[0] == ("workspace" if step == "workspace" else "venv")
    assert not (machine.root / INCOMPLETE).exists()


@needs_root
def test_packages_and_messages_that_are_gone_do_not_stay_in_the_workspace(machine: FakeMachine) -> None:
    assert run(machine, "setup")[0] == 0
    for name in ("privcam_core/package.xml", "privcam_msgs/package.xml", "privcam_msgs/msg/Omega.msg"):
        (machine.root / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (machine.root / "src" / name).touch()
    kept, gone = machine.root / "install/privcam_core", machine.root / "install/privcam_gone"
    messages = machine.root / "install/privcam_msgs"
    for built in (kept, gone, messages):
        (built / "share" / built.name / "msg").mkdir(parents=True)
    (messages / "share/privcam_msgs/msg/Behavior.msg").symlink_to(machine.root / "src/privcam_msgs/msg/Behavior.msg")
    assert run(machine, "setup")[0] == 0
    assert (kept.exists(), gone.exists(), messages.exists()) == (True, False, False)


@needs_root
def test_second_set_up_waits_for_the_first_and_says_so(machine: FakeMachine) -> None:
    machine.hold("packages")
    with start(machine, "setup") as first:
        assert machine.wait_until_held() == "packages"
        with start(machine, "setup") as second:
            assert second.stdout is not None
            assert f"another set-up of this checkout runs (process {first.pid})" in second.stdout.readline()
            machine.hold("")
            machine.let_go()
            assert second.wait(HANG_LIMIT_S) == 0
        assert first.wait(HANG_LIMIT_S) == 0
    assert machine.take_steps() == STEPS[:5]


@needs_root
def test_failed_step_ends_with_its_reason_and_the_next_start_repeats_it(machine: FakeMachine) -> None:
    message = machine.root / "src/privcam_core/privcam_core/models/models.yaml"
    assert run(machine, "models")[0] == 0
    blocked = Path(machine.environment["PRIVCAM_MODELS"])
    blocked.write_text("a file where the folder of models has to be")
    message.write_text("changed")
    code, output = run(machine, "setup")
    assert code == 1
    assert "set-up stopped: the default models are not ready" in output
    blocked.unlink()
    assert run(machine, "setup")[0] == 0


@needs_root
def test_command_after_sourcing_the_workspace_does_no_set_up(machine: FakeMachine) -> None:
    assert run(machine, "setup")[0] == 0
    machine.take_steps()
    install = machine.root / "install"
    modules = f"{machine.root}/build/privcam_cli{os.pathsep}{install}/privcam_cli/lib/python3.11/site-packages"
    machine.environment |= {
        "ROS_DISTRO": "jazzy",
        "AMENT_PREFIX_PATH": f"{install}/privcam_cli{os.pathsep}{install}/privcam_core",
        "CMAKE_PREFIX_PATH": f"{install}/privcam_msgs",
        "COLCON_PREFIX_PATH": str(install),
        "PYTHONPATH": f"{modules}{os.pathsep}{machine.environment['PYTHONPATH']}",
    }
    assert run(machine, "models", "--help") == (0, "ran models --help\n")
    assert machine.take_steps() == []


@pytest.mark.skipif(not (CHECKOUT / "install/local_setup.bash").is_file(), reason="not in a built checkout")
def test_models_help_after_sourcing_this_very_workspace_does_no_set_up() -> None:
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    script = "source install/local_setup.bash && ./privcam models --help"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=CHECKOUT,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
    assert "[setup]" not in done.stdout + done.stderr
