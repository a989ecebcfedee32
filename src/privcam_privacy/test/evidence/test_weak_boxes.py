"""Somebody whom only weak boxes find is not shown because a good box comes elsewhere, beside them, or on furniture."""

import pytest
from engine_film import FPS, LIE, STAND, TRANSIT, Film, found, room, track, with_person

CHAIRS = {
    "far": (10, 40, 60, 140),
    "touching": (222, 100, 290, 200),
    "overlapping": (180, 100, 260, 200),
    "over the legs": (150, 130, 230, 200),
}


def on_the_floor(weak_s: float, chair: tuple[int, int, int, int], *, wanders: bool) -> Film:
    """Return a film of an unknown room: somebody falls, and then only weak boxes find them, some of them on a chair."""
    film = Film(TRANSIT)
    film.show(with_person(STAND), 1.0, found(STAND), (track(STAND),))
    film.show(with_person(LIE), 0.4, found(LIE, score=0.5), (track(LIE, 0.5),))
    for frame in range(round(weak_s * FPS)):
        box = chair if wanders and frame % 4 >= 2 else LIE
        film.show(with_person(LIE), 1 / FPS, found(box, score=0.15), (track(box, 0.15),))
    return film


@pytest.mark.parametrize("place", CHAIRS)
@pytest.mark.parametrize("subject", [1, 2])
@pytest.mark.parametrize(("weak_s", "good_s"), [(2.0, 30.0), (10.0, 0.2)])
def test_a_good_box_after_weak_ones_frees_nobody(place: str, subject: int, weak_s: float, good_s: float) -> None:
    chair = CHAIRS[place]
    film = on_the_floor(weak_s, chair, wanders=False)
    film.show(with_person(LIE), good_s, found(chair, score=0.6), (track(chair, 0.6, subject),))
    if good_s < 1:
        film.show(with_person(LIE), 30.0)
    assert film.shown_of_person(LIE) == 0


@pytest.mark.parametrize("place", ["overlapping", "over the legs"])
def test_a_track_that_wanders_between_a_person_and_furniture_frees_nobody(place: str) -> None:
    film = on_the_floor(10.0, CHAIRS[place], wanders=True)
    film.show(with_person(LIE), 30.0, found(CHAIRS[place], score=0.6), (track(CHAIRS[place], 0.6),))
    assert film.shown_of_person(LIE) == 0


def test_who_is_found_again_where_they_stayed_and_walks_away_frees_the_place() -> None:
    film = Film(TRANSIT)
    film.show(with_person(STAND), 1.0, found(STAND), (track(STAND),))
    film.show(with_person(STAND), 6.0, found(STAND, score=0.15), (track(STAND, 0.15),))
    for x in range(100, 260, 6):
        box = (x, 40, x + 50, 200)
        film.show(with_person(box), 1 / FPS, found(box), (track(box),))
    film.show(with_person(box), 30.0, found(box), (track(box),))
    assert film.result.confirmed[45:195, 80:160].mean() > 0.95
    assert film.shown_of_person(STAND) == 0


def test_who_was_lost_for_long_and_is_found_again_and_walks_out_has_left() -> None:
    film = Film(TRANSIT)
    film.show(with_person(STAND), 1.0, found(STAND), (track(STAND),))
    film.show(with_person(STAND), 6.0, found(STAND, score=0.15), (track(STAND, 0.15),))
    for x in range(100, 318, 6):
        box = (x, 40, min(320, x + 50), 200)
        film.show(with_person(box), 1 / FPS, found(box), (track(box),))
    film.show(room(), 30.0)
    assert film.result.confirmed.mean() > 0.95
