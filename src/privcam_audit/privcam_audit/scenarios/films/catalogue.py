"""All scenarios by name, each with its film and with the room that an operator approved for it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from privcam_audit.scenarios.clip_frames import ClipFrames
from privcam_audit.scenarios.films import camera_films, people_films, room_films, state_films
from privcam_audit.scenarios.films.film import EMPTY_S
from privcam_audit.scenarios.scene import Event, Step
from privcam_core.types.arrays import Image
from privcam_evaluation.picture_changes import darken, switch_lamp
from privcam_privacy.evidence.zones import Polygon

# A commissioned room should be shown so long after the start, s.
SHOWN_S = 5.0


def room_by_day(clip: ClipFrames) -> Image:
    """Return the room in the light of the clip."""
    return clip.room


def room_at_night(clip: ClipFrames, *, gain: float) -> Image:
    """Return the room in the darkness of a scenario."""
    return darken(clip.room, gain)


@dataclass(frozen=True)
class Scenario:
    """One situation.

    text: for the report. film: makes its steps. rooms: the states of the room that an operator approved before.
    mask_zones: that were drawn. mark_s: time in the film at which the room should be shown, besides 5 s.
    """

    name: str
    text: str
    film: Callable[[ClipFrames, np.random.Generator], Iterator[Step]]
    rooms: tuple[Callable[[ClipFrames], Image], ...] = (room_by_day,)
    mask_zones: Callable[[ClipFrames], tuple[Polygon, ...]] = lambda _clip: ()
    mark_s: float = SHOWN_S


# A start by chance may be a lucky one.
_STARTS = 4
_POSTER = partial(people_films.picture_on_the_wall, moving=False)
_SCREEN = partial(people_films.picture_on_the_wall, moving=True)


def _night(gain: float) -> list[Scenario]:
    rooms = (partial(room_at_night, gain=gain),)
    return [
        Scenario(f"dark_{gain:g}", f"grey, {gain:g} of the light, noise", partial(camera_films.dark, gain=gain), rooms),
        Scenario(
            f"dark_{gain:g}_still",
            "the same, and the edge starts while somebody is still",
            partial(camera_films.dark_from_the_start, gain=gain),
            rooms,
        ),
    ]


_SCENARIOS = (
    Scenario("daylight", "the clip as it is", camera_films.daylight),
    Scenario("room_day", "the empty room, then the clip", room_films.room_by_day),
    Scenario(
        "room_lamp",
        "the empty room by day, then with the lamp on, then the clip; both were approved",
        room_films.room_with_lamp,
        (room_by_day, lambda clip: switch_lamp(clip.room)),
        mark_s=EMPTY_S + room_films.LAMP_S,
    ),
    Scenario(
        "room_night",
        "the empty room at a quarter of the light, then the clip; the room by day and at night was approved",
        room_films.room_at_night,
        (room_by_day, partial(room_at_night, gain=room_films.NIGHT)),
    ),
    *_night(0.5),
    *_night(0.25),
    *_night(0.12),
    Scenario(
        "dark_0.25_plate_by_day",
        "a quarter of the light, and only the room by day was approved",
        partial(camera_films.dark, gain=0.25),
    ),
    Scenario("still", "the edge starts while somebody is still", camera_films.still_from_the_start),
    *(
        Scenario(
            f"stirring_{start}",
            f"the edge starts while somebody stirs, start {start}",
            partial(camera_films.stirring_from_the_start, start=start),
        )
        for start in range(_STARTS)
    ),
    Scenario("hold", "still for 90 s, noise and JPEG", camera_films.long_hold),
    Scenario("restart_enter", "restart 1 s after somebody came in", state_films.restart_after_entering),
    Scenario("restart_half", "restart half way", state_films.restart_halfway),
    Scenario("restart_end", "restart when somebody becomes still", state_films.restart_at_once),
    Scenario(
        "restart_still",
        "restart after somebody was still for 8 s",
        partial(state_films.end_while_still, event=Event.RESTART),
    ),
    Scenario(
        "killed_old_file",
        "killed in a write: the file of before is there",
        partial(state_films.end_while_still, event=Event.KILLED_OLD_FILE),
    ),
    Scenario(
        "killed_half_file",
        "killed in a write: half a file is there",
        partial(state_films.end_while_still, event=Event.KILLED_HALF_FILE),
    ),
    Scenario("state_deleted", "state deleted", partial(state_films.end_while_still, event=Event.STATE_DELETED)),
    Scenario("size_once", "one frame of half the size", partial(camera_films.size_changed, once=True)),
    Scenario("size", "half the size from then on", partial(camera_films.size_changed, once=False)),
    Scenario("nudged", "camera nudged by some px", camera_films.nudged),
    Scenario("frozen", "the same frame again and again", camera_films.frozen),
    Scenario("lamp", "a lamp is switched on and off", camera_films.lamp_switched),
    *(
        Scenario(f"fall_{border}", f"fall to the {border} border", partial(people_films.fall_to_border, border=border))
        for border in people_films.BORDERS
    ),
    Scenario("lost_falls", "the detector loses somebody, who then falls", people_films.lost_and_falls),
    Scenario("blanket", "all but the head under a blanket like the room", people_films.blanket),
    Scenario("clothes", "clothes in the colour of the wall", people_films.clothes_like_the_wall),
    Scenario("poster", "a poster of a person", _POSTER, (people_films.room_with_poster,)),
    Scenario("television", "a screen with people", _SCREEN, (people_films.room_with_poster,)),
    Scenario(
        "poster_masked",
        "a poster in a mask zone",
        _POSTER,
        (people_films.room_with_poster,),
        people_films.poster_zone,
    ),
    Scenario(
        "television_masked",
        "a screen in a mask zone",
        _SCREEN,
        (people_films.room_with_poster,),
        people_films.poster_zone,
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in _SCENARIOS}
