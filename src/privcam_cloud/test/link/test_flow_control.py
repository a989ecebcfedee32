"""How much is asked for at once, on lines of every kind."""

import pytest

from privcam_cloud.link.flow_control import LONG_S, MAX_BYTES, MIN_BYTES, FlowControl


def settled(bytes_per_s: float, delay_s: float, answers: int = 40) -> list[int]:
    """Sizes of answers over a line of this rate and delay."""
    flow, sizes = FlowControl(), []
    for _ in range(answers):
        sizes.append(flow.max_bytes)
        flow.update(delay_s + flow.max_bytes / bytes_per_s, flow.max_bytes)
    return sizes


@pytest.mark.parametrize("delay_s", [0.001, 0.4])
@pytest.mark.parametrize("bytes_per_s", [16e3, 32e3, 1e6])
def test_answer_keeps_the_line_no_longer_than_a_moment_and_uses_it(bytes_per_s: float, delay_s: float) -> None:
    sizes = settled(bytes_per_s, delay_s)[10:]
    assert max(sizes) <= max(2 * LONG_S * bytes_per_s, MIN_BYTES)
    assert min(sizes) >= min(LONG_S / 8 * bytes_per_s, MAX_BYTES)


def test_fast_line_is_soon_asked_for_as_much_as_may_be() -> None:
    assert settled(1e8, 0.001, 10)[-1] == MAX_BYTES


def test_answer_that_had_little_to_say_tells_nothing_of_the_line() -> None:
    flow = FlowControl()
    for _ in range(20):
        flow.update(0.001, 100)
    assert flow.max_bytes == MIN_BYTES
