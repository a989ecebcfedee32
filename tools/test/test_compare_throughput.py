"""Checkouts are compared by medians, and a graph that does not run is an error and no figure."""

from pathlib import Path

import pytest

from compare_throughput import Turn, main, run, table


def test_ratios_are_of_medians_to_the_first_checkout() -> None:
    before, now = [Turn(4.0, 0.5), Turn(100.0, 9.0), Turn(2.0, 0.25)], [Turn(3.0, 1.0)]
    first, second = table({Path("before"): before, Path("now"): now})
    assert first.startswith("before: 4.00 frames/s (1.000 of the first), 500 ms")
    assert second == (
        "now: 3.00 frames/s (0.750 of the first), 1000 ms of processor time for a frame (2.000); runs: 3.00"
    )


def test_a_checkout_that_is_not_set_up_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="did not run"):
        run(tmp_path, tmp_path / "clip.mp4", 1)


def test_one_checkout_compares_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), str(tmp_path)])
    assert "two checkouts" in capsys.readouterr().err
