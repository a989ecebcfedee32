"""The runner of the tests itself."""

import os

import pytest

import run_tests


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
    assert [command[0] for command in everything] == ["ruff", "ruff", "mypy", "bandit", "pytest"]
    assert everything[-1][-5:] == ["src", "training", "tools", "test", "-x"]
    one = run_tests.list_commands("pytest", [f"{__file__}::test_x"])
    assert one[0][-2:] == ["--durations=10", f"{__file__}::test_x"]


def test_failed_check_does_not_keep_the_others_from_running(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def passes(command: list[str]) -> bool:
        ran.append(command[0])
        return command[0] != "mypy"

    monkeypatch.setattr(run_tests, "_passes", passes)
    assert run_tests.main([]) == 1
    assert ran == ["ruff", "ruff", "mypy", "bandit", "pytest"]
    assert "failed: mypy" in capsys.readouterr().err
