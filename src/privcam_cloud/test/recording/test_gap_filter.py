"""What a recorder takes of a stream that it may have missed a part of."""

from privcam_cloud.recording.gap_filter import MAX_WAITING, GapFilter


def test_nothing_is_taken_before_it_is_known_where_the_stream_goes_on() -> None:
    stream: GapFilter[str] = GapFilter()
    assert not stream.is_open
    assert stream.add(3, "c") == []
    assert stream.add(4, "d") == []
    assert stream.begin(4) == ["d"]
    assert stream.add(5, "e") == ["e"]


def test_a_gap_ends_the_stream_until_it_begins_again() -> None:
    stream: GapFilter[str] = GapFilter()
    stream.begin(1)
    assert stream.add(1, "a") == ["a"]
    assert stream.add(3, "c") == []
    assert not stream.is_open
    assert stream.add(4, "d") == []
    assert stream.begin(5) == []
    assert stream.add(5, "b again") == ["b again"]


def test_what_was_under_way_when_the_stream_went_back_is_passed_over() -> None:
    stream: GapFilter[str] = GapFilter()
    stream.begin(1)
    assert stream.begin(10) == []
    assert stream.add(9, "old") == []
    assert stream.is_open
    assert stream.add(10, "new") == ["new"]


def test_a_publisher_that_was_started_again_counts_from_one() -> None:
    stream: GapFilter[str] = GapFilter()
    stream.begin(90)
    assert stream.add(90, "last") == ["last"]
    assert stream.add(1, "a") == []
    assert stream.add(2, "b") == []
    assert stream.begin(1) == ["a", "b"]


def test_memory_of_what_waits_is_bounded() -> None:
    stream: GapFilter[int] = GapFilter()
    for number in range(1, MAX_WAITING + 10):
        stream.add(number, number)
    assert stream.begin(1) == []
