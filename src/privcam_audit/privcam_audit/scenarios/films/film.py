"""Parts of films that several scenarios use: the clip as it is, and a scene that is held."""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from privcam_audit.scenarios.clip_frames import ClipFrames
from privcam_audit.scenarios.scene import ChangePicture, Event, Scene, Step
from privcam_core.types.arrays import Image
from privcam_evaluation.camera_noise import add_noise

# A held scene lasts so long: bodies that were shown in earlier versions were shown after 4 to 39 s.
HOLD_S = 45.0
# The empty room is shown for this long: by day an edge has confirmed most of it by then.
EMPTY_S = 6.0
# A held scene comes at the rate of the clip for this long, and at _SLOW_HZ afterwards, which saves computing time. At a
# lower rate the edge would not count all of the time as seen.
_QUICK_S = 5.0
_SLOW_HZ = 4.0
# A sleeper breathes: the body moves up and down by this amplitude, px, with this period, s.
_BREATH_PX = 0.3
_BREATH_S = 4.0


def play(clip: ClipFrames) -> Iterator[Step]:
    """Yield the clip as it is, up to the last frame with somebody in it."""
    for number in range(clip.last + 1):
        yield Step(clip.scene(number), clip.images[number], clip.period_s, recorded=clip.found[number])


def show_empty_room(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the room before anybody is there: what an edge shows of it then may not become people later."""
    yield from hold(empty_scene(clip), clip.period_s, random, seconds=EMPTY_S)


def empty_scene(clip: ClipFrames) -> Scene:
    """Return the room without people. Where it is not known it is painted from the pixels around."""
    nobody = np.zeros(clip.shape, np.bool_)
    return Scene(clip.empty, clip.room, clip.known, nobody, nobody, nobody)


def later_scene(clip: ClipFrames, number: int) -> Scene:
    """Return what frame `number` shows after the empty room: that room is known all over, since it was painted."""
    return replace(clip.scene(number), room=clip.empty, known=np.ones(clip.shape, np.bool_))


def come_in(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the empty room, and then the clip as it is."""
    yield from show_empty_room(clip, random)
    for number in range(clip.last + 1):
        yield Step(later_scene(clip, number), clip.images[number], clip.period_s, recorded=clip.found[number])


def come_in_changed(
    clip: ClipFrames, change: ChangePicture, gain: float, random: np.random.Generator
) -> Iterator[Step]:
    """Yield the same in another light, with noise. gain: how much `change` changes differences of values."""
    yield from hold(empty_scene(clip).with_light(change, gain), clip.period_s, random, seconds=EMPTY_S)
    for number in range(clip.last + 1):
        scene = later_scene(clip, number).with_light(change, gain)
        yield Step(scene, add_noise(scene.picture, random), clip.period_s)


def hold(
    scene: Scene, period_s: float, random: np.random.Generator, *, seconds: float = HOLD_S, blind: bool = False
) -> Iterator[Step]:
    """Yield a scene in which people do nothing but breathe, with fresh noise in every frame."""
    passed_s = 0.0
    while passed_s < seconds:
        elapsed_s = period_s if passed_s < _QUICK_S else max(period_s, 1 / _SLOW_HZ)
        passed_s += elapsed_s
        yield Step(scene, add_noise(_breathe(scene, passed_s), random), elapsed_s, blind=blind, held=True)


def _breathe(scene: Scene, seconds: float) -> Image:
    """Return the picture of a scene with the people in it moved by their breath."""
    up = _BREATH_PX * np.sin(2 * np.pi * seconds / _BREATH_S)
    matrix = np.array([[1, 0, 0], [0, 1, up]], np.float64)
    size = scene.shape[1], scene.shape[0]
    moved = cv2.warpAffine(scene.picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.where(scene.person[..., None], np.asarray(moved, np.uint8), scene.picture)


def with_event(steps: Iterator[Step], event: Event) -> Iterator[Step]:
    """Yield the steps, with `event` before the first of them."""
    for number, step in enumerate(steps):
        yield replace(step, event=event) if number == 0 else step
