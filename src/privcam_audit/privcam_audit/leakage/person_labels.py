"""Labels the people in a clip, with more computing time than a camera has: the ground truth of the leak test.

Boxes are found in the whole picture and in tiles of it, linked forwards and backwards in time, and what lies between
two linked boxes is labelled as well. Labels can be checked, and replaced by given ones.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from privcam_audit.leakage.tiled_detection import detect_in_tiles
from privcam_audit.perception_recording import FramePerception, Recording
from privcam_core.types.arrays import BoolArray, Float32Array, Image
from privcam_core.types.boxes import iou
from privcam_core.types.perception import Detections

# A box: its frame, and its place there.
Node = tuple[int, int]
Link = tuple[Node, Node]

# Labelled around a box, on each side, as a fraction of its size.
MARGIN = 0.1
# A chain of boxes is a person when one of them scores _SURE. It is one too when one scores _LIKELY and either _POSED of
# them hold a body whose joints are seen this surely on average and fill this fraction of the box, or it lasts and its
# centre moves by this fraction of its size (standard deviation). The others are objects: bottles and carpets score up
# to 0.6, but in one place and without joints (0.3 and less); a man on the floor scores 0.5, but he moved there.
_LIKELY, _SURE = 0.4, 0.65
_POSED, _JOINTS, _FILLED, _POSE_IOU = 3, 0.45, 0.4, 0.5
_MIN_BOXES, _LASTS_S, _MOVES = 3, 1.0, 0.1
# Signs and bollards would be linked to people who pass them. They are left out before: boxes that come again at one
# place (IoU) in this fraction of the frames and over this fraction of the clip, few of them sure or with a body.
_SAME_PLACE, _OFTEN, _SPAN, _FEW = 0.6, 0.05, 0.5, 0.2
# Boxes are linked over gaps of at most this, when they overlap at least so much (IoU).
_GAP_S, _LINK_IOU = 3.0, 0.3
# In a gap longer than this a person may have moved otherwise than straight on: both boxes and all between are labelled.
_STRAIGHT_S = 0.5
# At its ends a chain goes on for as long as what is in the box stays: not more than this fraction of the middle of the
# box differs by more than these levels from the frame where the person was last (or first) found.
_SAME_FRACTION, _SAME_LEVELS = 0.1, 20
# Before a person is first found, and after the last time, somebody may be partly in sight for this long: labelled is
# then what differs, within the box, from the picture before (or after) that, if it is more than these px of the thumbs.
_ENDS_S, _MIN_PART = 1.0, 2
_THUMB_WIDTH = 160


@dataclass(frozen=True, eq=False)
class Labels:
    """People in every frame of a recording. boxes: for each frame (N, 4) px, whole people, without the margin."""

    boxes: Sequence[Float32Array]

    def mask(self, number: int, shape: tuple[int, int]) -> BoolArray:
        """Return (H, W), True where a person is labelled in frame `number` (from 0): the boxes with their margin."""
        labelled = np.zeros(shape, np.bool_)
        for x0, y0, x1, y1 in self.boxes[number].tolist():
            dx, dy = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
            left, top = max(0, round(x0 - dx)), max(0, round(y0 - dy))
            labelled[top : max(0, round(y1 + dy)), left : max(0, round(x1 + dx))] = True
        return labelled

    def empty(self, number: int) -> bool:
        """Return whether frame `number` (from 0) has nobody in it."""
        return len(self.boxes[number]) == 0

    def save(self, path: Path, recording: Recording) -> None:
        """Write `labels.json`: for each frame, κ's frame_id and the boxes in px, one decimal."""
        frames = [
            {"frame": found.key.frame_id, "boxes": np.round(boxes.astype(np.float64), 1).tolist()}
            for found, boxes in zip(recording.perceptions, self.boxes, strict=True)
        ]
        text = ",\n  ".join(json.dumps(frame) for frame in frames)
        height, width = recording.shape
        head = json.dumps({"clip": recording.name, "width": width, "height": height, "rate_hz": recording.rate_hz})
        path.write_text(f'{head[:-1]}, "frames": [\n  {text}\n]}}\n', encoding="utf-8")

    @classmethod
    def load(cls, path: Path, recording: Recording) -> "Labels":
        """Read labels that somebody gives. Raises ValueError where they do not go with the recording."""
        content = json.loads(path.read_text(encoding="utf-8"))
        frames = content.get("frames") if isinstance(content, dict) else None
        if not isinstance(frames, list) or len(frames) != len(recording):
            count = len(frames) if isinstance(frames, list) else "no"
            raise ValueError(f"{path}: has {count} frames, the recording of {recording.name} has {len(recording)}")
        boxes = []
        for frame, found in zip(frames, recording.perceptions, strict=True):
            if frame.get("frame") != found.key.frame_id:
                raise ValueError(f"{path}: frame {frame.get('frame')} where {found.key.frame_id} is due")
            given = np.array(frame["boxes"], np.float32).reshape(-1, 4)
            if not all(map(isfinite, given.ravel().tolist())) or (given[:, 2:] <= given[:, :2]).any():
                raise ValueError(f"{path}: frame {frame['frame']} has a box that is empty or not finite")
            boxes.append(given)
        return cls(boxes)


def label(recording: Recording, *, cache: Path, threads: int = 1) -> Labels:
    """Return the labels of a recording. cache: folder in which what the detector saw is kept (boxes, no pixels)."""
    seen = _without_objects(detect_in_tiles(recording, cache, threads), recording)
    people = _people(seen, recording)
    thumbs = _thumbs(recording)
    scale = thumbs[0].shape[1] / recording.shape[1]
    boxes: list[list[Float32Array]] = [[] for _ in recording.perceptions]
    for at, index in people.nodes:
        boxes[at].append(seen[at].boxes[index])
    for (start, i), (end, j) in people.links:
        a, b = seen[start].boxes[i], seen[end].boxes[j]
        hull = np.concatenate([np.minimum(a[:2], b[:2]), np.maximum(a[2:], b[2:])])
        for between in range(start + 1, end):
            weight = np.float32((between - start) / (end - start))
            straight = end - start <= _STRAIGHT_S * recording.rate_hz
            boxes[between].append((1 - weight) * a + weight * b if straight else hull)
    for nodes, step in ((people.first, -1), (people.last, 1)):
        for at, index in nodes:
            box = seen[at].boxes[index]
            for number in _stays(thumbs, at, box * scale, step):
                boxes[number].append(box)
            for number, part in _comes(thumbs, at, box * scale, step, round(_ENDS_S * recording.rate_hz)):
                boxes[number].append(part / scale)
    return Labels([np.array(frame, np.float32).reshape(-1, 4) for frame in boxes])


def _without_objects(seen: Sequence[Detections], recording: Recording) -> list[Detections]:
    """Return the detections without things that stand in one place for most of the clip and are no people."""
    frame = np.repeat(np.arange(len(seen)), [len(found) for found in seen])
    boxes, scores = (np.concatenate([getattr(found, name) for found in seen]) for name in ("boxes", "scores"))
    person = scores >= _SURE
    person |= [_has_joints(box, recording.perceptions[at]) for box, at in zip(boxes, frame, strict=True)]
    kept = np.ones(len(boxes), np.bool_)
    for index in np.flatnonzero(~person):
        same = iou(boxes[index][None], boxes)[0] >= _SAME_PLACE
        times = frame[same]
        stands = len(set(times.tolist())) >= _OFTEN * len(seen) and np.ptp(times) >= _SPAN * len(seen)
        kept[index] = not (stands and person[same].mean() <= _FEW)
    return [Detections(boxes[kept & (frame == at)], scores[kept & (frame == at)]) for at in range(len(seen))]


@dataclass(frozen=True)
class _People:
    """Boxes that are people. links: from earlier to later. first, last: those with none before, or none after."""

    nodes: list[Node]
    links: list[Link]
    first: list[Node]
    last: list[Node]


def _people(seen: Sequence[Detections], recording: Recording) -> _People:
    """Return the boxes that belong to people. seen: one a frame."""
    nodes = [(at, index) for at, found in enumerate(seen) for index in range(len(found))]
    onwards, gap = range(len(seen)), round(_GAP_S * recording.rate_hz)
    links = sorted(_links(seen, gap, onwards) | {(b, a) for a, b in _links(seen, gap, onwards[::-1])})
    place = {node: n for n, node in enumerate(nodes)}
    ends = [place[a] for a, _ in links], [place[b] for _, b in links]
    count, owner = connected_components(coo_array((np.ones(len(links)), ends), shape=(len(nodes),) * 2), directed=False)
    kept: set[Node] = set()
    for chain in range(count):
        members = [nodes[n] for n in np.flatnonzero(owner == chain)]
        if _is_person(members, seen, recording):
            kept.update(members)
    links = [(a, b) for a, b in links if a in kept]
    early, late = {a for a, _ in links}, {b for _, b in links}
    return _People(sorted(kept), links, sorted(kept - late), sorted(kept - early))


def _is_person(chain: Sequence[Node], seen: Sequence[Detections], recording: Recording) -> bool:
    best = max(float(seen[at].scores[index]) for at, index in chain)
    if len(chain) < _MIN_BOXES or best < _LIKELY:
        return False
    boxes = np.array([seen[at].boxes[index] for at, index in chain])
    if (
        best >= _SURE
        or sum(_has_joints(box, recording.perceptions[at]) for box, (at, _) in zip(boxes, chain, strict=True)) >= _POSED
    ):
        return True
    moved = np.std((boxes[:, :2] + boxes[:, 2:]) / 2, axis=0) / np.mean(boxes[:, 2:] - boxes[:, :2], axis=0)
    return chain[-1][0] - chain[0][0] >= _LASTS_S * recording.rate_hz and float(moved.max()) >= _MOVES


def _has_joints(box: Float32Array, found: FramePerception) -> bool:
    """Return whether the edge found a body in `box` (4,) that is about as large as it."""
    bodies = [
        pose.box
        for pose in found.poses
        if pose.keypoints[:, 2].mean() >= _JOINTS
        and np.ptp(pose.keypoints[:, :2], axis=0).prod() >= _FILLED * (box[2:] - box[:2]).prod()
    ]
    return bool((iou(box[None], np.array(bodies, np.float32).reshape(-1, 4)) >= _POSE_IOU).any())


def _links(seen: Sequence[Detections], gap: int, order: Sequence[int]) -> set[Link]:
    """Return the pairs of boxes that show one person, linked in the order of time that `order` gives.

    gap: frames over which boxes are linked at most.
    """
    links: set[Link] = set()
    open_ends: list[Node] = []
    for at in order:
        open_ends = [end for end in open_ends if abs(at - end[0]) <= gap]
        overlap = iou(np.array([seen[a].boxes[i] for a, i in open_ends]).reshape(-1, 4), seen[at].boxes)
        rows, columns = linear_sum_assignment(-overlap)
        matched = [(r, c) for r, c in zip(rows.tolist(), columns.tolist(), strict=True) if overlap[r, c] >= _LINK_IOU]
        links |= {(open_ends[r], (at, c)) for r, c in matched}
        taken = {r for r, _ in matched}
        open_ends = [end for r, end in enumerate(open_ends) if r not in taken]
        open_ends += [(at, index) for index in range(len(seen[at]))]
    return links


def _thumbs(recording: Recording) -> list[Image]:
    """Return every frame small and grey, in memory only."""
    size = (_THUMB_WIDTH, max(1, round(_THUMB_WIDTH * recording.shape[0] / recording.shape[1])))
    return [
        cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        for image in recording.read()
    ]


def _stays(thumbs: Sequence[Image], number: int, box: Float32Array, step: int) -> Iterator[int]:
    """Yield the frames after (step 1) or before (step -1) `number` in which the content of `box` is still the same.

    box: in px of the thumbs. Errs towards people: a place that looks the same once the person left stays labelled.
    """
    inset = 0.2 * (box[2:] - box[:2])
    height, width = thumbs[0].shape
    x0, y0 = np.floor(np.clip(box[:2] + inset, 0, (width - 1, height - 1))).astype(int)
    x1, y1 = np.ceil(np.clip(box[2:] - inset, (x0 + 1, y0 + 1), (width, height))).astype(int)
    there = thumbs[number][y0:y1, x0:x1]
    at = number + step
    while 0 <= at < len(thumbs):
        differs = cv2.absdiff(thumbs[at][y0:y1, x0:x1], there) > _SAME_LEVELS
        if differs.mean() > _SAME_FRACTION:
            return
        yield at
        at += step


def _comes(
    thumbs: Sequence[Image], number: int, box: Float32Array, step: int, limit: int
) -> Iterator[tuple[int, Float32Array]]:
    """Yield up to `limit` frames after (step 1) or before (step -1) `number`, and the part of `box` that is a person's.

    box: in px of the thumbs, as is the part. Where the clip starts or ends too soon to tell, the part is the whole box.
    """
    height, width = thumbs[0].shape
    x0, y0 = np.floor(np.clip(box[:2], 0, (width - 1, height - 1))).astype(int)
    x1, y1 = np.ceil(np.clip(box[2:], (x0 + 1, y0 + 1), (width, height))).astype(int)
    beyond = number + step * (limit + 1)
    for at in range(number + step, beyond, step):
        if not 0 <= at < len(thumbs):
            return
        if not 0 <= beyond < len(thumbs):
            yield at, box
            continue
        differs = cv2.absdiff(thumbs[at][y0:y1, x0:x1], thumbs[beyond][y0:y1, x0:x1]) > _SAME_LEVELS
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        if np.count_nonzero(differs) > _MIN_PART:
            part = [x0 + columns[0], y0 + rows[0], x0 + columns[-1] + 1, y0 + rows[-1] + 1]
            yield at, np.array(part, np.float32)
