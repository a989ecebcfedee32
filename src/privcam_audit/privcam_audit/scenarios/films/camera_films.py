"""Films in which the light or the camera changes, and people stay."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate

import numpy as np

from privcam_audit.scenarios.clip_frames import ClipFrames
from privcam_audit.scenarios.films.film import HOLD_S, come_in, come_in_changed, hold, later_scene, play
from privcam_audit.scenarios.scene import Step
from privcam_core.types.arrays import Image
from privcam_evaluation.camera_noise import add_noise
from privcam_evaluation.picture_changes import darken, recompress, switch_lamp

# The long hold lasts for several times the time after which each kind of evidence confirms background; for stillness,
# whose time the audit shortens, that stands for two hours.
_LONG_HOLD_S = 90.0
# Every so many frames the camera encodes with another quality, of this range.
_RECOMPRESS_EVERY = 20
_QUALITIES = (30, 90)
# A scene is held for this long before and after the moment of a change.
_SETTLE_S = 8.0
# The end of a clip, s, is played to and fro for this long, s, and in each step so many of its frames are left out.
_STIR_END_S, _STIR_S = 2.0, 20.0
_STIR_SKIPS = (0, 0, 0, 1)
# px by which a nudge moves the picture, right and down.
_NUDGE = (5, 3)


def daylight(clip: ClipFrames, _random: np.random.Generator) -> Iterator[Step]:
    """Yield the clip as it is."""
    yield from play(clip)


def dark(clip: ClipFrames, random: np.random.Generator, *, gain: float) -> Iterator[Step]:
    """Yield the clip at night, and its last scene held."""

    def change(image: Image) -> Image:
        return darken(image, gain)

    yield from come_in_changed(clip, change, gain, random)
    yield from hold(later_scene(clip, clip.last).with_light(change, gain), clip.period_s, random)


def dark_from_the_start(clip: ClipFrames, random: np.random.Generator, *, gain: float) -> Iterator[Step]:
    """Yield the last scene held at night: the edge starts while somebody is still."""
    scene = clip.scene(clip.last).with_light(lambda image: darken(image, gain), gain)
    yield from hold(scene, clip.period_s, random)


def still_from_the_start(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the last scene held: the edge starts while somebody is still."""
    yield from hold(clip.scene(clip.last), clip.period_s, random)


def stirring_from_the_start(clip: ClipFrames, random: np.random.Generator, *, start: int) -> Iterator[Step]:
    """Yield the end of the clip to and fro: the edge starts while somebody stirs, and sees each time other frames.

    start: number of the start; frames come at other times in each. What detector and motion find differs with them.
    """
    numbers = range(max(clip.first, clip.last - round(_STIR_END_S * clip.rate_hz)), clip.last + 1)
    scenes = [clip.scene(number) for number in (*numbers, *numbers[-2:0:-1])]
    strides = 1 + np.random.default_rng(start).choice(_STIR_SKIPS, round(_STIR_S * clip.rate_hz))
    passed_s = 0.0
    for stride, place in zip(strides, accumulate(strides), strict=True):
        scene, elapsed_s = scenes[place % len(scenes)], float(stride) * clip.period_s
        passed_s += elapsed_s
        if passed_s > _STIR_S:
            return
        yield Step(scene, add_noise(scene.picture, random), elapsed_s)


def long_hold(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the clip, and its last scene held for long, with another quality of compression now and then."""
    yield from come_in(clip, random)
    for number, step in enumerate(hold(later_scene(clip, clip.last), clip.period_s, random, seconds=_LONG_HOLD_S)):
        if number % _RECOMPRESS_EVERY == 0:
            yield replace(step, image=recompress(step.image, int(random.integers(*_QUALITIES))))
        else:
            yield step


def frozen(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the clip, and its last frame again and again."""
    yield from come_in(clip, random)
    scene, image = later_scene(clip, clip.last), clip.images[clip.last]
    for _ in range(round(HOLD_S / clip.period_s)):
        yield Step(scene, image, clip.period_s)


def lamp_switched(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the clip, and its last scene held while a lamp is switched on and off again."""
    yield from come_in(clip, random)
    scene = later_scene(clip, clip.last)
    yield from hold(scene, clip.period_s, random, seconds=_SETTLE_S)
    lit = replace(scene.with_light(switch_lamp), room_before=scene.room)
    yield from hold(lit, clip.period_s, random)
    yield from hold(replace(scene, room_before=lit.room), clip.period_s, random, seconds=_SETTLE_S)


def nudged(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the clip, and its last scene held while the camera is nudged."""
    yield from come_in(clip, random)
    scene = later_scene(clip, clip.last)
    yield from hold(scene, clip.period_s, random, seconds=_SETTLE_S)
    yield from hold(scene.with_shift(*_NUDGE), clip.period_s, random)


def size_changed(clip: ClipFrames, random: np.random.Generator, *, once: bool) -> Iterator[Step]:
    """Yield the clip, and its last scene held, in half the size from then on; once: for one frame in between."""
    yield from come_in(clip, random)
    scene = later_scene(clip, clip.last)
    yield from hold(scene, clip.period_s, random, seconds=_SETTLE_S)
    small = scene.with_size((clip.shape[0] // 2, clip.shape[1] // 2))
    if once:
        yield Step(small, add_noise(small.picture, random), clip.period_s)
    yield from hold(scene if once else small, clip.period_s, random)
