"""The runner with real child processes."""

import io
import os
import select
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from privcam_bringup.launching import Parameter, Process, Runner

# Against a test that hangs.
HANG_LIMIT_S = 300.0
IGNORE_ALL = "import signal; signal.signal(2, signal.SIG_IGN); signal.signal(15, signal.SIG_IGN)"
WAIT = "import time; time.sleep(600)"


@dataclass
class Output(io.TextIOBase):
    """Collects lines and calls back for each, so that a test can react to a process instead of waiting for time."""

    lines: list[str] = field(default_factory=list)
    react: dict[str, object] = field(default_factory=dict)

    def write(self, text: str) -> int:
        self.lines += text.splitlines()
        for key, action in self.react.items():
            if key in text and callable(action):
                action()
        return len(text)


def python(name: str, code: str, **options: object) -> Process:
    return Process(package="test", executable=code, name=name, **options)  # type: ignore[arg-type]


def runner(*processes: Process, out: Output, **options: float) -> Runner:
    find = lambda process: [sys.executable, "-c", process.executable]  # noqa: E731
    return Runner(processes, environment={"SET_FOR_ALL": "1"}, out=out, find=find, **options)


def ends(pid: int) -> bool:
    """Whether a process that was sent a signal has ended; waits for the kernel to have done it."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ready, _, _ = select.select([process], [], [], HANG_LIMIT_S)
    os.close(process)
    return bool(ready)


def test_output_carries_the_name_of_the_node() -> None:
    out = Output()
    code = "import sys, os; print('one'); print('two', file=sys.stderr); print(os.environ['SET_FOR_ALL'], end='')"
    assert runner(python("camera", code), out=out).run() == 0
    assert sorted(out.lines[:3]) == ["[camera] 1", "[camera] one", "[camera] two"]
    assert out.lines[-1] == "[camera] ended with exit code 0"


def test_process_gets_its_ros_arguments_and_readable_parameter_files() -> None:
    out = Output()
    code = "import sys; a = sys.argv; print(a[1:6]); print(open(a[a.index('--params-file') + 1]).read())"
    process = python("n", code, namespace="/a", parameters=(Parameter("x", "5"),))
    assert runner(process, out=out).run() == 0
    assert out.lines[0] == "[n] ['--ros-args', '-r', '__node:=n', '-r', '__ns:=/a']"
    assert out.lines[1:4] == ["[n] /a/n:", "[n]   ros__parameters:", "[n]     x: '5'"]


def test_node_that_is_still_loaded_ends_without_a_traceback_and_one_that_runs_by_its_handler() -> None:
    out = Output()
    handled = "import signal, sys; end = lambda *_: sys.exit(print('in order')); signal.signal(2, end); "
    handled += "signal.signal(15, end); print('here', flush=True); "
    loading = Process(package="privcam_edge", executable=f"print('here', flush=True); {WAIT}", name="loading")
    running = Process(package="privcam_edge", executable=handled + WAIT, name="running")
    launch = runner(loading, running, out=out)
    here = iter(range(2))
    out.react = {"here": lambda: next(here) and launch.stop()}
    assert launch.run() == 0
    assert "[running] in order" in out.lines
    assert not any("Traceback" in line or "KeyboardInterrupt" in line for line in out.lines)


def test_failure_of_a_process_makes_the_exit_code_nonzero_and_does_not_stop_the_others() -> None:
    out = Output()
    assert runner(python("bad", "raise SystemExit(3)"), python("good", "print('done')"), out=out).run() == 1
    assert "[bad] ended with exit code 3" in out.lines
    assert "[good] done" in out.lines


def test_end_of_a_required_process_ends_all() -> None:
    out = Output()
    assert runner(python("camera", "pass", required=True), python("other", WAIT, respawn=True), out=out).run() == 0


def test_failure_of_a_required_process_is_the_failure_of_the_launch() -> None:
    out = Output()
    assert runner(python("camera", "raise SystemExit(1)", required=True), python("other", WAIT), out=out).run() == 1
    assert "[camera] is required, so everything ends" in out.lines


def test_process_that_ended_is_started_again_and_a_failure_that_was_overcome_is_none(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"""
import pathlib, time
mark = pathlib.Path({str(mark)!r})
if not mark.exists():
    mark.touch()
    raise SystemExit(7)
print('second start', flush=True)
time.sleep(600)"""
    out = Output()
    run = runner(python("n", code, respawn=True), out=out)
    out.react["second start"] = run.stop
    assert run.run() == 0
    assert "[n] ended with exit code 7" in out.lines


def test_stop_cuts_the_delay_before_a_restart_short() -> None:
    out = Output()
    run = runner(python("n", "raise SystemExit(7)", respawn=True, respawn_delay=3600.0), out=out)
    out.react["ended with"] = run.stop
    assert run.run() == 1


def test_stop_before_run_starts_nothing() -> None:
    out = Output()
    run = runner(python("n", "print('started')"), out=out)
    run.stop()
    assert run.run() == 0
    assert out.lines == []


def test_process_that_ignores_signals_is_killed_with_all_that_it_started() -> None:
    out = Output()
    child = f"{IGNORE_ALL}; {WAIT}"
    code = f"""
import subprocess, sys, os
{IGNORE_ALL}
child = subprocess.Popen([sys.executable, '-c', {child!r}])
print('pids', os.getpid(), child.pid, flush=True)
{WAIT}"""
    run = runner(python("stubborn", code), out=out, sigterm_after_s=0.05, sigkill_after_s=0.05)
    out.react["pids"] = run.stop
    assert run.run() == 0
    pids = [int(word) for word in out.lines[0].split()[2:]]
    assert len(pids) == 2
    assert all(ends(pid) for pid in pids)


def test_children_of_a_process_that_ended_by_itself_are_not_left_behind() -> None:
    out = Output()
    code = f"import subprocess, sys; print('pid', subprocess.Popen([sys.executable, '-c', {WAIT!r}]).pid)"
    assert runner(python("n", code), out=out).run() == 0
    assert ends(int(out.lines[0].split()[-1]))


def test_interrupt_of_the_runner_ends_its_processes_by_interrupt(tmp_path: Path) -> None:
    code = """
import sys
from privcam_bringup.launching import Process, Runner
node = 'import signal, sys, time\\n' \\
       'signal.signal(2, lambda *_: (print("interrupted", flush=True), sys.exit(0)))\\n' \\
       'print("ready", flush=True); time.sleep(600)'
sys.exit(Runner([Process('p', node, name='n')], environment={},
                find=lambda p: [sys.executable, '-c', p.executable]).run())"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    guard = threading.Timer(HANG_LIMIT_S, process.kill)
    guard.start()
    assert process.stdout is not None
    assert process.stdout.readline() == "[n] ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.read() == "[n] interrupted\n"
    assert process.wait() == 0
    guard.cancel()


def test_kill_of_the_runner_ends_its_processes(tmp_path: Path) -> None:
    code = f"""
import sys
from privcam_bringup.launching import Process, Runner
Runner([Process('p', 'import os; print(os.getpid(), flush=True); {WAIT}', name='n')], environment={{}},
       find=lambda p: [sys.executable, '-c', p.executable]).run()"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout is not None
    pid = int(process.stdout.readline().split()[-1])
    process.kill()
    process.wait()
    assert ends(pid)
    process.stdout.close()


def test_missing_program_is_reported_before_anything_starts() -> None:
    with pytest.raises(LookupError, match="no_such_package is not installed; build the workspace"):
        Runner([Process("no_such_package", "node")], environment={})


def test_program_that_cannot_be_executed_is_a_failure(tmp_path: Path) -> None:
    program = tmp_path / "node"
    program.write_bytes(b"\0")
    program.chmod(0o755)
    out = Output()
    run = Runner([python("n", "")], environment={}, out=out, find=lambda _: [str(program)])
    assert run.run() == 1
    assert out.lines[0].startswith(f"[n] cannot be started: {program}: ")


@pytest.mark.parametrize("place", ["plain", "with a blank", "büro", "x" * 200])
def test_script_runs_wherever_it_lies_whatever_its_first_line_says(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / place
    program = prefix / "lib/toys/node"
    index = prefix / "share/ament_index/resource_index/packages/toys"
    for file in (program, index):
        file.parent.mkdir(parents=True)
        file.touch()
    program.write_text(f"#!{prefix}/.venv/bin/python\nprint('runs')\n")
    program.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(prefix))
    out = Output()
    assert Runner([Process("toys", "node", name="n")], environment={}, out=out).run() == 0
    assert out.lines[0] == "[n] runs"


def test_program_that_is_no_script_is_started_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("lib/toys/node", "share/ament_index/resource_index/packages/toys"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    (tmp_path / "lib/toys/node").write_text("#!/bin/sh\necho a shell\n")
    (tmp_path / "lib/toys/node").chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    out = Output()
    assert Runner([Process("toys", "node", name="n")], environment={}, out=out).run() == 0
    assert out.lines[0] == "[n] a shell"
