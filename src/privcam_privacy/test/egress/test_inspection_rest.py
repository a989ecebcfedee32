import pytest

from privcam_privacy.egress.inspection_rest import InspectionRest


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def wall():
    return Clock()


@pytest.fixture
def processor():
    return Clock()


@pytest.fixture
def rest(wall, processor):
    return InspectionRest(wall, processor)


def test_nothing_rests_before_the_first_inspection(rest):
    assert rest.is_over(0.05)


@pytest.mark.parametrize("fraction", [0.05, 0.25, 0.5])
def test_inspection_and_rest_together_are_the_fraction_of_a_core(rest, wall, processor, fraction):
    with rest.measure():
        processor.now_s += 2.0
        wall.now_s += 2.0
    wall.now_s = 2.0 / fraction - 0.01
    assert not rest.is_over(fraction)
    wall.now_s = 2.0 / fraction + 0.01
    assert rest.is_over(fraction)


def test_to_wait_for_the_processor_is_not_to_work(rest, wall, processor):
    with rest.measure():
        processor.now_s += 1.0
        wall.now_s += 60.0
    wall.now_s += 3.1
    assert rest.is_over(0.25)


def test_an_inspection_that_fails_has_taken_its_time(rest, processor):
    with pytest.raises(OSError, match="model"), rest.measure():
        processor.now_s += 1.0
        raise OSError("model")
    assert not rest.is_over(0.25)


def test_what_the_first_inspection_took_does_not_count_after_the_second(rest, wall, processor):
    with rest.measure():
        processor.now_s += 10.0
    with rest.measure():
        processor.now_s += 0.1
    wall.now_s += 0.4
    assert rest.is_over(0.25)
