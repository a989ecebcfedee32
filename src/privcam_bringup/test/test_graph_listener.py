"""A listener spins until the end of its block, and an error in it is raised there."""

from collections.abc import Callable

import pytest

from privcam_bringup.graph import free_domain
from privcam_bringup.graph_listener import Listener

# Against a test that hangs.
HANG_LIMIT_S = 300.0


class Ticking(Listener):
    """Listens to its own timer only."""

    def __init__(self, tick: Callable[[], None]) -> None:
        super().__init__("ticking", free_domain())
        self._tick = tick
        self.ticks = 0
        self.node.create_timer(0.01, self._on_timer)

    def wait(self, ticks: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._error is not None or self.ticks >= ticks, HANG_LIMIT_S)

    def _on_timer(self) -> None:
        self._tick()
        self.ticks += 1
        self._notify()


def fail() -> None:
    raise LookupError("not what was expected")


def test_it_listens_until_the_end_of_the_block() -> None:
    with Ticking(lambda: None) as ticking:
        assert ticking.wait(3)
    assert not ticking._thread.is_alive()


def test_error_in_a_callback_is_raised_at_the_end_of_the_block() -> None:
    with pytest.raises(LookupError, match="not what was expected"), Ticking(fail) as ticking:
        assert ticking.wait(1)
    assert ticking.ticks == 0


def test_error_of_the_block_itself_is_not_hidden_by_one_of_a_callback() -> None:
    with pytest.raises(ZeroDivisionError), Ticking(fail) as ticking:
        assert ticking.wait(1)
        raise ZeroDivisionError
