"""The figures of a run."""

import json
from pathlib import Path

import pytest
from privcam_msgs.msg import Event

from privcam_bringup.graph_observer import FrameSummary, Observations
from privcam_bringup.run_summary import confirmed_over_time, summarize, write

PERIOD_S = 0.1
LATENCY_S = 0.2


def seen(frames: int = 101) -> Observations:
    """A run of ten frames a second: nothing is confirmed for 5 s, then half of the picture."""
    run = Observations()
    for number in range(frames):
        stamp_s = 1000.0 + number * PERIOD_S
        late = 10 * LATENCY_S if number == 50 else LATENCY_S
        run.frames.append(
            FrameSummary(
                frame_id=number + 1,
                stamp_s=stamp_s,
                arrived_s=stamp_s + late,
                people=number % 3,
                confirmed_fraction=0.0 if number < 50 else 0.5,
                withheld_fraction=1.0 if number < 50 else 0.5,
                excluded_fraction=0.1,
                picture=number in (0, 50),
                readable=1.0,
            )
        )
    run.subjects = {1, 2}
    run.events = {1: Event(label="walking"), 2: Event(label="walking"), 3: Event(label="fall")}
    run.diagnostics["/demo/bridge"] = [(1.0, {"bytes_sent": "100"}), (2.0, {"bytes_sent": "50000", "rejected": "0"})]
    run.diagnostics["/demo/camera"] = [(1.0, {"skipped": "7"})]
    run.diagnostics["/demo/omega"] = [(1.0, {"dropped": "2"})]
    run.diagnostics["/demo/eraser"] = [(1.0, {"dropped": "1"})]
    run.diagnostics["/other/omega"] = [(1.0, {"dropped": "100"})]
    return run


def test_figures_are_those_of_the_run() -> None:
    figures = summarize(seen(), "demo")
    assert figures["frames"] == 101
    assert figures["frames_per_s"] == pytest.approx(10.0)
    assert figures["camera_seconds"] == pytest.approx(10.0)
    assert figures["people"] == {"subjects": 2, "per_frame_mean": 0.99, "per_frame_max": 2}
    assert figures["events"] == {"walking": 2, "fall": 1}
    assert figures["environment_pictures"] == 2
    assert figures["skipped_frames"] == 7
    assert figures["dropped_frames"] == 3  # of this camera only


def test_bytes_are_counted_per_second_of_camera_time() -> None:
    figures = summarize(seen(), "demo")
    assert figures["omega_bytes"] == 50000  # the newest report counts
    assert figures["omega_bytes_per_s"] == 5000


def test_latency_is_from_capture_to_arrival_and_one_late_frame_shows_in_no_percentile() -> None:
    assert summarize(seen(), "demo")["latency_ms"] == {"p50": 200.0, "p95": 200.0}


def test_shares_are_given_at_the_end_and_over_time() -> None:
    run = seen()
    figures = summarize(run, "demo")
    assert figures["withheld_fraction"]["last"] == 0.5
    assert figures["withheld_fraction"]["mean"] == pytest.approx(0.75, abs=0.01)
    assert confirmed_over_time(run, at_s=(2, 8)) == {"2": 0.0, "8": 0.5}
    assert "20" not in figures["confirmed_fraction"]["after_s"]  # the run did not last that long


def test_run_without_a_frame_says_so() -> None:
    assert summarize(Observations(), "demo") == {"frames": 0}


def test_run_of_a_single_frame_has_figures_too() -> None:
    assert summarize(seen(frames=1), "demo")["frames_per_s"] == 0.0


def test_both_files_say_the_same(tmp_path: Path) -> None:
    figures = summarize(seen(), "demo")
    write(figures, "a run", tmp_path, "Seen on a Sunday.")
    assert json.loads((tmp_path / "summary.json").read_text()) == figures
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("# a run\n")
    assert "| frames | 101 |" in text
    assert "| latency ms, p95 | 200.0 |" in text
    assert "| events, fall | 1 |" in text
    assert text.endswith("Seen on a Sunday.\n")


def test_group_without_entries_is_shown_as_none(tmp_path: Path) -> None:
    write({"events": {}}, "a run", tmp_path)
    assert "| events | none |" in (tmp_path / "summary.md").read_text()
