import json
from pathlib import Path

import numpy as np
import pytest

from privcam_audit.leakage.person_labels import MARGIN, Labels, label
from privcam_audit.perception_recording import START_NS, FramePerception, Recording
from privcam_core.types.omega import SyncKey
from privcam_core.types.perception import Detections

SHAPE = (120, 160)
RATE_HZ = 10.0
MAN = (20, 60)  # w, h px
ROOM = np.full((*SHAPE, 3), 90, np.uint8)


def film(boxes, score=0.9, drawn=None, name="film"):
    """A recording in which somebody is found in `boxes`, one a frame or None, and stands in `drawn`."""
    pictures, found = [], []
    for number, box in enumerate(boxes):
        picture = ROOM.copy()
        where = (drawn or boxes)[number]
        if where is not None:
            x0, y0, x1, y1 = map(int, where)
            picture[y0:y1, x0:x1] = 220
        pictures.append(picture)
        rows = np.array([box] if box is not None else [], np.float32).reshape(-1, 4)
        detections = Detections(rows, np.full(len(rows), score, np.float32))
        found.append(FramePerception(SyncKey("audit", number + 1, START_NS + number * 10**8), detections, [], []))
    return Recording(name, f"{name}{len(boxes)}{score}", SHAPE, RATE_HZ, found, lambda: iter(pictures))


def at(x, y=40):
    return (x, y, x + MAN[0], y + MAN[1])


def covers(labels, number, box):
    x0, y0, x1, y1 = map(int, box)
    return bool(labels.mask(number, SHAPE)[y0:y1, x0:x1].all())


def test_person_is_labelled_with_a_margin_of_ten_percent_on_each_side(tmp_path: Path) -> None:
    labels = label(film([at(50)] * 10), cache=tmp_path)
    rows, columns = np.nonzero(labels.mask(4, SHAPE))
    dx, dy = MARGIN * MAN[0], MARGIN * MAN[1]
    assert (columns.min(), columns.max() + 1) == (50 - dx, 70 + dx)
    assert (rows.min(), rows.max() + 1) == (40 - dy, 100 + dy)


def test_person_who_walks_is_labelled_where_the_detector_blinks(tmp_path: Path) -> None:
    path = [at(10 + 2 * n) for n in range(30)]
    boxes = [box if n % 5 < 2 else None for n, box in enumerate(path)]
    labels = label(film(boxes, drawn=path), cache=tmp_path)
    assert all(covers(labels, n, box) for n, box in enumerate(path[:27]))


def test_both_places_of_a_person_are_labelled_over_a_long_gap(tmp_path: Path) -> None:
    boxes = [at(50)] * 5 + [None] * 20 + [at(58, 44)] * 5
    labels = label(film(boxes, drawn=[at(50)] * 25 + [at(58, 44)] * 5), cache=tmp_path)
    assert all(covers(labels, n, at(50)) and covers(labels, n, at(58, 44)) for n in range(5, 25))


def test_person_who_stays_where_the_detector_loses_him_stays_labelled(tmp_path: Path) -> None:
    boxes = [at(40 + n) for n in range(20)] + [None] * 80
    labels = label(film(boxes, drawn=boxes[:20] + [at(59)] * 80), cache=tmp_path)
    assert all(covers(labels, n, at(59)) for n in range(20, 100))


def test_person_is_labelled_before_being_found_and_the_empty_room_is_not(tmp_path: Path) -> None:
    entering = [None] * 30 + [(80, 110, 100, 120)] * 4 + [at(80, 60)] * 20
    boxes = [None] * 34 + [at(80, 60)] * 20
    labels = label(film(boxes, drawn=entering), cache=tmp_path)
    assert all(covers(labels, n, (80, 110, 100, 120)) for n in range(30, 34))
    assert all(labels.empty(n) for n in range(30))


def test_bottle_in_its_place_is_no_person(tmp_path: Path) -> None:
    labels = label(film([at(50)] * 40, score=0.6), cache=tmp_path)
    assert all(labels.empty(n) for n in range(40))


def test_somebody_weakly_found_who_moves_is_a_person(tmp_path: Path) -> None:
    path = [at(10 + 2 * n) for n in range(40)]
    labels = label(film(path, score=0.45), cache=tmp_path)
    assert all(covers(labels, n, box) for n, box in enumerate(path))


def test_flicker_of_the_detector_is_no_person(tmp_path: Path) -> None:
    labels = label(film([at(50) if n in (20, 21) else None for n in range(40)], drawn=[None] * 40), cache=tmp_path)
    assert all(labels.empty(n) for n in range(40))


def test_labels_come_back_from_the_disk_as_they_were(tmp_path: Path) -> None:
    recording = film([at(50)] * 6 + [None] * 30, drawn=[at(50)] * 6 + [None] * 30)
    labels = label(recording, cache=tmp_path)
    labels.save(tmp_path / "labels.json", recording)
    back = Labels.load(tmp_path / "labels.json", recording)
    for number in range(len(recording)):
        assert np.array_equal(back.mask(number, SHAPE), labels.mask(number, SHAPE))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda content: content["frames"].pop(), "has 9 frames"),
        (lambda content: content["frames"][3].update(frame=77), "frame 77 where 4 is due"),
        (lambda content: content["frames"][3].update(boxes=[[5, 5, 5, 9]]), "empty or not finite"),
        (lambda content: content.pop("frames"), "has no frames"),
    ],
)
def test_labels_that_do_not_go_with_the_clip_are_refused(tmp_path: Path, change, problem: str) -> None:
    recording = film([at(50)] * 10)
    path = tmp_path / "labels.json"
    label(recording, cache=tmp_path).save(path, recording)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=problem):
        Labels.load(path, recording)
