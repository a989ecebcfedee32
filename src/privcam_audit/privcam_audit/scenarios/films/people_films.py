"""Films in which people do what a detector does not expect: they fall, lie, are covered, or are only pictures."""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from privcam_audit.scenarios.clip_frames import ClipFrames
from privcam_audit.scenarios.films.body import body_of
from privcam_audit.scenarios.films.film import EMPTY_S, come_in, empty_scene, hold, later_scene, show_empty_room
from privcam_audit.scenarios.scene import Scene, Step
from privcam_core.types.arrays import BoolArray, Image, Region
from privcam_core.types.boxes import pixel_region
from privcam_evaluation.camera_noise import add_noise
from privcam_privacy.background.grid import GRID
from privcam_privacy.evidence.zones import Polygon

# Directions of the falls: right and down, in sizes of the body.
BORDERS = {"left": (-1, 0), "right": (1, 0), "upper": (0, -1), "lower": (0, 1)}
# This fraction of a body is in the picture after a fall to the border.
_IN_SIGHT = 0.4
# A fall lasts so long.
_FALL_S = 1.0
# Somebody is still for this long before it happens.
_STILL_S = 5.0
# Fraction of the body, from above, that a blanket leaves free.
_HEAD_FRACTION = 0.2
# Clothes like the wall: their values are this fraction of the way from the wall's to the person's.
_CLOTHES = 0.3
# Height of a poster or screen as a fraction of the picture's.
_POSTER_HEIGHT = 0.35


def fall_to_border(clip: ClipFrames, random: np.random.Generator, *, border: str) -> Iterator[Step]:
    """Yield the clip, and then a fall towards a border, where the body lies partly out of sight."""
    yield from come_in(clip, random)
    scene = later_scene(clip, clip.last)
    yield from hold(scene, clip.period_s, random, seconds=_STILL_S)
    body = body_of(scene)
    (x0, y0, x1, y1), (height, width) = body.region, clip.shape
    right, down = BORDERS[border]
    dx = {-1: -x1 + _IN_SIGHT * (x1 - x0), 0: 0.0, 1: width - x0 - _IN_SIGHT * (x1 - x0)}[right]
    dy = {-1: -y1 + _IN_SIGHT * (y1 - y0), 0: 0.0, 1: height - y0 - _IN_SIGHT * (y1 - y0)}[down]
    count = max(1, round(_FALL_S * clip.rate_hz))
    for number in range(1, count + 1):
        fallen = body.moved(round(dx * number / count), round(dy * number / count))
        yield Step(fallen, add_noise(fallen.picture, random), clip.period_s)
    yield from hold(fallen, clip.period_s, random)


def lost_and_falls(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the clip, and then a fall out of the last box, after the detector has lost the person for good."""
    yield from come_in(clip, random)
    scene = later_scene(clip, clip.last)
    yield from hold(scene, clip.period_s, random, seconds=_STILL_S, blind=True)
    body = body_of(scene)
    (x0, y0, x1, y1), width = body.region, clip.shape[1]
    # The body falls to the side with more room, and lies on the floor where its feet were.
    side = 1 if width - x1 >= x0 else -1
    reach = min((x1 - x0) / 2 + (y1 - y0) / 2, width - x1 if side > 0 else x0)
    dx, dy = side * reach, (y1 - y0) / 2 - (x1 - x0) / 2
    count = max(1, round(_FALL_S * clip.rate_hz))
    for number in range(1, count + 1):
        part = number / count
        fallen = body.moved(round(dx * part), round(dy * part), lying=part > 0.5)
        yield Step(fallen, add_noise(fallen.picture, random), clip.period_s, blind=True)
    yield from hold(fallen, clip.period_s, random, blind=True)


def blanket(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the clip, and then its last scene with all but the head under a blanket in the colour of the room."""
    yield from come_in(clip, random)
    scene = later_scene(clip, clip.last)
    yield from hold(scene, clip.period_s, random, seconds=_STILL_S)
    body = body_of(scene)
    y0, y1 = body.region[1], body.region[3]
    covered = body.cut.copy()
    covered[: round(y0 + _HEAD_FRACTION * (y1 - y0))] = False
    rest = replace(
        scene,
        picture=np.where(covered[..., None], body.empty, scene.picture),
        person=scene.person & ~covered,
    )
    yield from hold(rest, clip.period_s, random)


def clothes_like_the_wall(clip: ClipFrames, random: np.random.Generator) -> Iterator[Step]:
    """Yield the clip with people in the colours of the room behind them, and its last scene held."""
    yield from show_empty_room(clip, random)
    for number in range(clip.last + 1):
        scene = _fade_people(later_scene(clip, number))
        yield Step(scene, add_noise(scene.picture, random), clip.period_s)
    yield from hold(scene, clip.period_s, random)


def _fade_people(scene: Scene) -> Scene:
    faded = cv2.addWeighted(scene.picture, _CLOTHES, scene.room, 1 - _CLOTHES, 0)
    where = scene.person & scene.known
    return replace(
        scene,
        picture=np.where(where[..., None], faded, scene.picture),
        same_levels=_CLOTHES * scene.same_levels,
    )


def room_with_poster(clip: ClipFrames) -> Image:
    """Return the room with the poster, as an operator would approve it."""
    room, shown = clip.room.copy(), _portrait(clip, clip.last)
    _paste(room, shown, _wall(clip, shown.shape))
    return room


def poster_zone(clip: ClipFrames) -> tuple[Polygon, ...]:
    """Return the mask zone that an operator draws around the poster or screen, with a margin of a cell."""
    x0, y0, x1, y1 = _wall(clip, _portrait(clip, clip.last).shape)
    height, width = clip.shape
    left, top = max(0.0, (x0 - GRID) / width), max(0.0, (y0 - GRID) / height)
    right, bottom = min(1.0, (x1 + GRID) / width), min(1.0, (y1 + GRID) / height)
    return (((left, top), (right, top), (right, bottom), (left, bottom)),)


def picture_on_the_wall(clip: ClipFrames, random: np.random.Generator, *, moving: bool) -> Iterator[Step]:
    """Yield the clip with a poster of a person on the wall, or with a screen that shows people; the last scene held."""
    first = _portrait(clip, clip.last)
    region = _wall(clip, first.shape)
    labelled = [number for number in range(clip.last + 1) if not clip.labels.empty(number)]
    yield from hold(_hang(empty_scene(clip), first, region), clip.period_s, random, seconds=EMPTY_S)
    for number in range(clip.last + 1):
        shown = _portrait(clip, labelled[number % len(labelled)]) if moving else first
        scene = _hang(later_scene(clip, number), shown, region)
        yield Step(scene, add_noise(scene.picture, random), clip.period_s)
    if not moving:
        yield from hold(scene, clip.period_s, random)
        return
    for number, step in enumerate(hold(later_scene(clip, clip.last), clip.period_s, random)):
        scene = _hang(step.scene, _portrait(clip, labelled[number % len(labelled)]), region)
        yield replace(step, scene=scene, image=add_noise(scene.picture, random))


def _hang(scene: Scene, shown: Image, region: Region) -> Scene:
    """Return the scene with a picture on the wall, behind the people."""
    picture, room, depicted = scene.picture.copy(), scene.room.copy(), np.zeros_like(scene.person)
    _paste(picture, shown, region)
    _paste(room, shown, region)
    depicted[region[1] : region[3], region[0] : region[2]] = True
    depicted &= ~scene.person
    return replace(
        scene,
        picture=np.where(scene.person[..., None], scene.picture, picture),
        room=room,
        depicted=depicted,
    )


def _portrait(clip: ClipFrames, number: int) -> Image:
    """Return the largest person of a frame as a picture. All portraits of a clip have the same size."""
    height = round(_POSTER_HEIGHT * clip.shape[0])
    boxes = clip.labels.boxes[number]
    largest = boxes[int(np.argmax(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)))]
    x0, y0, x1, y1 = pixel_region(largest, *clip.shape)
    return np.asarray(cv2.resize(clip.images[number][y0:y1, x0:x1], (height // 2, height)), np.uint8)


def _wall(clip: ClipFrames, shape: tuple[int, ...]) -> Region:
    """Return the place for a picture of `shape`, beside the upper border, that people cover least."""
    covered: BoolArray = np.zeros(clip.shape, np.bool_)
    for number in range(clip.last + 1):
        covered |= clip.labels.mask(number, clip.shape)
    top = round(0.05 * clip.shape[0])
    places = range(0, clip.shape[1] - shape[1], max(1, shape[1] // 4))
    left = min(places, key=lambda x: int(np.count_nonzero(covered[top : top + shape[0], x : x + shape[1]])))
    return left, top, left + shape[1], top + shape[0]


def _paste(image: Image, shown: Image, region: Region) -> None:
    image[region[1] : region[3], region[0] : region[2]] = shown
