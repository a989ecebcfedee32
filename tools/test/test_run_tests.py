"""The runner of the tests itself."""

import os
from pathlib import Path

import pytest

import run_tests

ALL = ["ruff", "ruff", "pytest", "pytest", "pytest", "mypy", "bandit"]


def test_every_core_is_kept_busy_during_the_block_and_no_longer() -> None:
    with run_tests.busy_cores() as loops:
        assert len(loops) == len(os.sched_getaffinity(0))
        for pid in loops:
            os.kill(pid, 0)
    for pid in loops:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_arguments_of_others_go_to_pytest_and_name_what_is_tested() -> None:
    everything = run_tests.list_commands(None, ["-x"])
    assert [command[0] for command in everything] == ALL
    system, apart, units = (command[len(run_tests.PYTEST) + 1 :] for command in everything if command[0] == "pytest")
    assert system == ["test", "--ignore=test/link", "--ignore=test/fuzzing", "--ignore=test/rules", "-x"]
    assert apart == ["test/link", "test/fuzzing", "test/rules", "-x"]
    assert (units[:3], units[-1]) == (["src", "training", "tools"], "-x")
    one = run_tests.list_commands("pytest", [f"{__file__}::test_x"])
    assert [command[-2:] for command in one] == [["--durations=10", f"{__file__}::test_x"]]


@pytest.mark.parametrize(("load", "runs"), [([], [1, 1, 5]), (["--beside-load"], [1, 1, 2, 3])])
def test_failed_check_does_not_keep_the_others_from_running(
    load: list[str], runs: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    at_once: list[int] = []

    def failed_side_by_side(commands: list[list[str]]) -> list[list[str]]:
        ran.extend(command[0] for command in commands)
        at_once.append(len(commands))
        return [command for command in commands if command[0] == "mypy"]

    monkeypatch.setattr(run_tests, "_failed_side_by_side", failed_side_by_side)
    assert run_tests.main(load) == 1
    assert at_once == runs
    assert ran == ALL
    assert "failed: mypy" in capsys.readouterr().err


def test_runs_side_by_side_all_print_and_the_failed_ones_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each opens its end of a pipe, which waits for the other: one after the other they would never end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "writer.py").write_text(f"open({str(tmp_path / 'pipe')!r}, 'w')\nprint('writer ran')\n")
    (tmp_path / "reader.py").write_text(f"open({str(tmp_path / 'pipe')!r})\nprint('reader ran')\nraise SystemExit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert run_tests._failed_side_by_side([["writer"], ["reader"]]) == [["reader"]]
    printed = capfd.readouterr().out
    assert printed.index("writer ran") < printed.index("output of reader") < printed.index("reader ran")
