"""What a recorder takes of a stream that it may have missed a part of."""

from privcam_cloud.recording.gap_filter import HELD, Continuity


def test_nothing_is_taken_before_it_is_known_where_the_stream_goes_on() -> None:
    stream: Continuity[str] = Continuity()
    assert not stream.open
    assert stream.take(3, "c") == []
    assert stream.take(4, "d") == []
    assert stream.begin(4) == ["d"]
    assert stream.take(5, "e") == ["e"]


def test_a_gap_ends_the_stream_until_it_begins_again() -> None:
    stream: Continuity[str] = Continuity()
    stream.begin(1)
    assert stream.take(1, "a") == ["a"]
    assert stream.take(3, "c") == []
    assert not stream.open
    assert stream.take(4, "d") == []
    assert stream.begin(5) == []
    assert stream.take(5, "b again") == ["b again"]


def test_what_was_under_way_when_the_stream_went_back_is_passed_over() -> None:
    stream: Continuity[str] = Continuity()
    stream.begin(1)
    assert stream.begin(10) == []
    assert stream.take(9, "old") == []
    assert stream.open
    assert stream.take(10, "new") == ["new"]


def test_a_publisher_that_was_started_again_counts_from_one() -> None:
    stream: Continuity[str] = Continuity()
    stream.begin(90)
    assert stream.take(90, "last") == ["last"]
    assert stream.take(1, "a") == []
    assert stream.take(2, "b") == []
    assert stream.begin(1) == ["a", "b"]


def test_memory_of_what_waits_is_bounded() -> None:
    stream: Continuity[int] = Continuity()
    for number in range(1, HELD + 10):
        stream.take(number, number)
    assert stream.begin(1) == []
