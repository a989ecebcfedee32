"""What seals cost is measured on every sealed topic, and adds up to the frame."""

import pytest

from privcam_evaluation.bench.costs.sealing_cost import READERS, Cost, dearest_hop, main, measure, of_a_frame


def test_every_sealed_topic_is_measured() -> None:
    found = measure(people=2, rounds=20)
    assert found.keys() == READERS.keys()
    assert found["raw_poses"].size > found["frames"].size > found["done"].size > 0


def test_frame_counts_each_publisher_once_and_each_reader() -> None:
    hops = dict.fromkeys(READERS, Cost(1.0, 10.0, 100))
    seals = {"seals_of_eraser_and_embedder": 0.5, "one_check": 0.25, "code_of_the_composer": 1.0, "its_check": 1.5}
    assert of_a_frame(hops, seals) == 6 * 1.0 + 12 * 10.0 + 3.0 + 4 * 0.25
    assert dearest_hop(hops, seals) == 11.0
    assert dearest_hop(hops, seals | {"one_check": 20.0}) == 20.5


def test_dearest_hop_and_the_frame_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--people", "1", "--rounds", "10"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[: len(READERS)]] == list(READERS)
    assert lines[-2].startswith("dearest hop: ") and lines[-1].startswith("a frame, all processes together: ")


@pytest.mark.parametrize("arguments", [["--people", "0"], ["--rounds", "1"]])
def test_numbers_that_measure_nothing_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
