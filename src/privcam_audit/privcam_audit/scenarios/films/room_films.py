"""Films that show what the use of a commissioned room is: it is empty when the edge starts, and then the clip plays."""

from collections.abc import Iterator

import numpy as np

from privcam_audit.scenarios.clip_frames import ClipFrames
from privcam_audit.scenarios.films.film import (
    come_in,
    come_in_changed,
    empty_scene,
    hold,
    later_scene,
    play,
    show_empty_room,
)
from privcam_audit.scenarios.scene import Step
from privcam_evaluation.camera_noise import add_noise
from privcam_evaluation.picture_changes import darken, switch_lamp

# A clip that is empty for this long shows its own frames instead of its true background, s.
_OWN_EMPTY_S = 6.0
# After a lamp was switched the room stays empty for this long, s.
LAMP_S = 10.0
# The light at night.
NIGHT = 0.25


def room_by_day(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the empty room and the clip."""
    own = clip.first >= _OWN_EMPTY_S * clip.rate_hz
    yield from play(clip) if own else come_in(clip, random)


def room_with_lamp(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the empty room by day and then with the lamp on, and the clip in that light."""
    yield from show_empty_room(clip, random)
    yield from hold(empty_scene(clip).with_light(switch_lamp), clip.period_s, random, seconds=LAMP_S)
    for number in range(clip.last + 1):
        scene = later_scene(clip, number).with_light(switch_lamp)
        yield Step(scene, add_noise(scene.picture, random), clip.period_s)


def room_at_night(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the empty room at night and the clip in that light."""
    yield from come_in_changed(clip, lambda image: darken(image, NIGHT), NIGHT, random)
