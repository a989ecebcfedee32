"""Each Ω and report is recorded once, also when the camera's clock was set back or the recorder started again."""

from privcam_cloud.recording.recorded_stamps import RecordedStamps


def omegas(recorded: RecordedStamps, *stamps: int) -> list[int]:
    """Return which Ω of the bridge are recorded."""
    new = []
    for stamp_ns in stamps:
        if recorded.is_new_omega(stamp_ns):
            recorded.note_omega(stamp_ns)
            new.append(stamp_ns)
    return new


def reports(recorded: RecordedStamps, *stamps: int) -> list[int]:
    new = []
    for stamp_ns in stamps:
        if recorded.is_new_report(stamp_ns):
            recorded.note_report(stamp_ns)
            new.append(stamp_ns)
    return new


def test_repetitions_after_a_restart_are_not_recorded_again() -> None:
    recorded = RecordedStamps(105, 104)
    recorded.begin(102)
    assert omegas(recorded, 103, 104, 105, 106, 107) == [106, 107]
    assert reports(recorded, 103, 104, 105, 106, 106, 107) == [105, 106, 107]


def test_clock_that_was_set_back_is_recorded() -> None:
    recorded = RecordedStamps(0, 0)
    recorded.begin(0)
    assert omegas(recorded, 1000, 1001, 400, 401) == [1000, 1001, 400, 401]
    assert reports(recorded, 1000, 400, 1001, 401) == [1000, 400, 1001, 401], "one report comes late"
    assert reports(recorded, 1000, 400, 1001, 401) == []


def test_clock_that_was_set_back_while_the_recorder_was_away_is_recorded() -> None:
    recorded = RecordedStamps(1000, 1000)
    recorded.begin(1000)
    assert omegas(recorded, 400, 401) == [400, 401]
    assert reports(recorded, 400, 401) == [400, 401]


def test_repetitions_before_a_clock_that_was_set_back_are_told_from_what_is_new() -> None:
    recorded = RecordedStamps(1000, 1000)
    recorded.begin(998)
    assert omegas(recorded, 999, 1000, 400, 401) == [400, 401]


def test_nothing_lower_is_recorded_where_the_stream_does_not_continue_the_recording() -> None:
    recorded = RecordedStamps(1000, 1000)
    recorded.begin(500)
    assert omegas(recorded, 501, 600) == []
