"""Parts of films that several scenarios use: the clip as it is, and a scene that is held."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from privcam_audit.scenarios.clip_frames import ClipFrames
from privcam_audit.scenarios.films.picture_changes import add_noise
from privcam_audit.scenarios.scene import ChangePicture, Event, Scene, Step

# A held scene lasts so long: bodies that were shown in earlier versions were shown after 4 to 39 s.
HOLD_S = 45.0
# A held scene comes at the rate of the clip for this long, and at _SLOW_HZ afterwards, which saves computing time.
_QUICK_S = 5.0
_SLOW_HZ = 2.0


def play(clip: ClipFrames, *, until: int | None = None) -> Iterator[Step]:
    """Yield the clip as it is, up to and with frame `until` (default: the last one with somebody in it)."""
    for number in range((clip.last if until is None else until) + 1):
        yield Step(clip.scene(number), clip.images[number], clip.period_s, recorded=clip.found[number])


def play_changed(clip: ClipFrames, change: ChangePicture, gain: float, random: np.random.Generator) -> Iterator[Step]:
    """Yield the clip in another light, with noise. gain: how much `change` changes differences of values."""
    for number in range(clip.last + 1):
        scene = clip.scene(number).with_light(change, gain)
        yield Step(scene, add_noise(scene.picture, random), clip.period_s)


def hold(
    scene: Scene, period_s: float, random: np.random.Generator, *, seconds: float = HOLD_S, blind: bool = False
) -> Iterator[Step]:
    """Yield a scene that stands still, with fresh noise in every frame."""
    passed_s = 0.0
    while passed_s < seconds:
        elapsed_s = period_s if passed_s < _QUICK_S else max(period_s, 1 / _SLOW_HZ)
        passed_s += elapsed_s
        yield Step(scene, add_noise(scene.picture, random), elapsed_s, blind=blind)


def with_event(steps: Iterator[Step], event: Event) -> Iterator[Step]:
    """Yield the steps, with `event` before the first of them."""
    for number, step in enumerate(steps):
        yield replace(step, event=event) if number == 0 else step
