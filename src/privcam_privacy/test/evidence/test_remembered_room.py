"""A restart in another light: nobody becomes background, and the room is shown again where it is the same."""

from collections.abc import Callable

import numpy as np
import pytest
from engine_film import BY_PLATE, LIE, SHAPE, STILLNESS, TRANSIT, Film, approved, breathing, room

Light = Callable[[np.ndarray], np.ndarray]
ACROSS = (np.arange(SHAPE[1]) / SHAPE[1])[None, :, None]
SPOT = np.exp(-(((ACROSS - 0.3) ** 2 + ((np.arange(SHAPE[0]) / SHAPE[0])[:, None, None] - 0.5) ** 2) / 0.08))
LIGHTS: dict[str, Light] = {
    "the same": lambda picture: picture,
    "darker": lambda picture: picture * 0.6,
    "brighter": lambda picture: picture * 1.3,
    "twice as dark": lambda picture: picture * 0.45,
    "from one side": lambda picture: picture * (0.4 + ACROSS),
    "a lamp": lambda picture: picture * (0.5 + 0.9 * SPOT),
    "a strong lamp": lambda picture: picture * (0.35 + 1.5 * SPOT),
    "haze": lambda picture: picture * 0.8 + 40,
    "half of the room": lambda picture: picture * np.where(ACROSS < 0.5, 1.3, 0.6),
    "warm": lambda picture: picture * np.array([0.55, 0.8, 1.1]),
    "a quarter": lambda picture: picture * 0.25,
}
KINDS = {"commissioned": BY_PLATE, "stillness": STILLNESS, "transit": TRANSIT}


def shown_of_sleeper(film: Film, light: Light, seconds: float) -> float:
    """Show somebody who breathes in this light, and return the largest fraction of them that is published."""
    highest = 0.0
    empty = light(room().astype(np.float32))
    x0, y0, x1, y1 = LIE
    part = np.s_[y0:y1, x0:x1]
    while seconds > 0:
        lit = np.clip(light(breathing(film.time_s)), 0, 255)
        result = film.show(lit)
        near = np.abs(result.environment_plate[part] - lit[part]).max(axis=2) < 15
        alike = np.abs(empty[part] - lit[part]).max(axis=2) < 30
        highest = max(highest, float((near & result.confirmed[part] & ~alike).mean()))
        seconds -= 0.2
    return highest


@pytest.mark.parametrize(
    ("kind", "light"),
    [
        *(("transit", light) for light in LIGHTS if light not in ("the same", "warm")),
        *(("commissioned", light) for light in ("darker", "a strong lamp", "a quarter")),
        *(("stillness", light) for light in ("darker", "a quarter")),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_still_person_does_not_become_background_after_a_restart_in_another_light(
    kind: str, light: str, known: bool
) -> None:
    film = Film(KINDS[kind], approved())
    film.show(room(), 80.0 if kind == "stillness" else 12.0)
    assert film.result.confirmed.mean() > 0.9
    if known:
        film.enter()
    assert shown_of_sleeper(film.restarted(approved()), LIGHTS[light], 30.0) == 0


@pytest.mark.parametrize("light", ["the same", "darker", "brighter", "warm"])
def test_the_room_is_shown_again_around_who_came_meanwhile_and_everywhere_when_they_have_gone(light: str) -> None:
    film = Film(TRANSIT)
    film.show(room(), 12.0)
    film = film.restarted()
    shown_of_sleeper(film, LIGHTS[light], 8.0)
    assert film.result.confirmed.mean() > 0.6
    film.show(LIGHTS[light](room()), 10.0)
    assert film.result.confirmed.mean() > 0.95


def test_in_another_view_everything_is_withheld_where_somebody_was_before() -> None:
    film = Film(TRANSIT)
    film.show(room(), 12.0)
    film = film.enter().restarted()
    assert not film.show(room(9), 30.0).confirmed.any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gain", [0.25, 0.12])
def test_nobody_is_shown_who_lies_there_from_the_start_with_little_light(kind: str, gain: float) -> None:
    for states in ((), (approved(),), (approved((room() * gain).astype(np.uint8), "night"),)):
        film = Film(KINDS[kind], *states)
        assert shown_of_sleeper(film, lambda picture: picture * gain, 30.0) == 0
        if kind == "transit":
            assert not film.result.confirmed.any()
