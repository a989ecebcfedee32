"""Films in which the edge ends and starts again, while people stay."""

from collections.abc import Iterator

import numpy as np

from privcam_audit.scenarios.clip_frames import ClipFrames
from privcam_audit.scenarios.films.film import come_in, hold, later_scene, with_event
from privcam_audit.scenarios.scene import Event, Step

# Somebody has been in sight for this long at the first restart.
_ENTERED_S = 1.0
# Somebody has been still for this long when the edge ends.
_STILL_S = 8.0


def restart_after_entering(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the clip, with a restart soon after somebody came in, and its last scene held."""
    yield from _restart_at(clip, random, min(clip.last, clip.first + round(_ENTERED_S * clip.rate_hz)))


def restart_halfway(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the clip, with a restart half way between the first and the last sight of people, and the scene held."""
    yield from _restart_at(clip, random, (clip.first + clip.last) // 2)


def _restart_at(clip: ClipFrames, random: np.random.Generator, number: int) -> Iterator[Step]:
    for step in come_in(clip, random):
        is_moment = step.recorded is clip.found[number]
        yield from with_event(iter([step]), Event.RESTART if is_moment else Event.NONE)
    yield from hold(later_scene(clip, clip.last), clip.period_s, random)


def end_while_still(clip: ClipFrames, random: np.random.Generator, *, event: Event) -> Iterator[Step]:
    """Yield the clip, and its last scene held, with `event` in between."""
    yield from come_in(clip, random)
    scene = later_scene(clip, clip.last)
    yield from hold(scene, clip.period_s, random, seconds=_STILL_S)
    yield from with_event(hold(scene, clip.period_s, random), event)


def restart_at_once(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the clip, and its last scene held, with a restart at the moment of the last frame of the clip."""
    yield from come_in(clip, random)
    yield from with_event(hold(later_scene(clip, clip.last), clip.period_s, random), Event.RESTART)
