"""Where nobody knows where people are, one who is seen to come and go frees nothing of the picture, with `transit`."""

from collections.abc import Callable

import numpy as np
import pytest
from engine_film import FPS, LIE, SHAPE, TRANSIT, Film, breathing, found, room, track, with_person

from privcam_privacy.state.restoration import BackgroundState


def lost_state() -> Film:
    """Return an engine whose stored state was refused."""
    film = Film(TRANSIT)
    film.engine.suspect_everywhere()
    return film


def restarted_after_lost_state() -> Film:
    film = lost_state()
    film.show(breathing(film.time_s), 1.0)
    return film.restarted()


def another_size_after_lost_state() -> Film:
    film = lost_state()
    film.show(with_person(LIE)[::2, ::2].copy())
    return film


def another_view() -> Film:
    """Return an engine that was started again with another view, while somebody was there."""
    film = Film(TRANSIT)
    everywhere = np.ones(SHAPE, np.bool_)
    film.engine.restore(BackgroundState(room(8), everywhere, np.zeros(SHAPE, np.bool_) | (np.arange(320) > 280)))
    return film


@pytest.mark.parametrize(
    "start",
    [lost_state, restarted_after_lost_state, another_size_after_lost_state, another_view],
    ids=lambda one: one.__name__,
)
@pytest.mark.parametrize("way", ["through", "over the sleeper"])
@pytest.mark.parametrize("wait_s", [0.2, 15.0])
def test_who_walks_through_frees_nobody_else(start: Callable[[], Film], way: str, wait_s: float) -> None:
    film = start()
    film.show(breathing(film.time_s), wait_s)
    highest, top = 0.0, 20 if way == "through" else 100
    for x in range(-40, 330, 4):
        box = (max(0, x), top, min(320, x + 50), top + 110)
        picture = with_person(box, breathing(film.time_s)) if box[2] - box[0] > 8 else breathing(film.time_s)
        seen = (found(box), (track(box, subject_id=7),)) if box[2] - box[0] > 8 else (found(), ())
        film.show(picture, 1 / FPS, *seen)
        highest = max(highest, film.shown_of_person(LIE))
    for _ in range(60 * FPS):
        film.show(breathing(film.time_s))
        highest = max(highest, film.shown_of_person(LIE))
    assert highest == 0
