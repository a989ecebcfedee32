from concurrent.futures import Executor, Future

import numpy as np
import pytest

from privcam_core.detection.inspection import Finding
from privcam_core.images.environment import FILL, decode_environment
from privcam_core.types.time import NS_PER_S
from privcam_privacy.background.engine import EngineResult
from privcam_privacy.egress.inspection import PATIENCE_S, AtOnce, Egress

SHAPE = (48, 64)
ROOM = np.random.default_rng(2).integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
PERSON = Finding("person", (8.0, 8.0, 24.0, 40.0), 0.9, 1.0)
OUTLINE = Finding("person", (8.0, 8.0, 24.0, 40.0), 0.9, 0.0)


def result(epoch, valid=None):
    validity = np.ones(SHAPE, np.bool_) if valid is None else valid
    plate = np.where(validity[..., None], ROOM, np.uint8(FILL))
    return EngineResult(plate, validity, True, epoch, 0.0, 0.0, 0.0)


class Later(Executor):
    """Keeps what is submitted until it is told to run it."""

    def __init__(self):
        self.waiting = []

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        self.waiting.append((future, fn, args, kwargs))
        return future

    def work(self):
        for future, fn, args, kwargs in self.waiting:
            future.set_result(fn(*args, **kwargs))
        self.waiting.clear()


class Inspector:
    """Finds what it was told to, and keeps the bytes it saw."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.seen = []

    def __call__(self, png):
        self.seen.append(png)
        return self.answers.pop(0) if self.answers else []


def test_a_picture_leaves_only_with_the_bytes_that_were_inspected():
    inspector = Inspector()
    picture, findings = Egress(inspector, AtOnce())(result(1), 0)
    assert inspector.seen == [picture.png]
    assert findings == []
    np.testing.assert_array_equal(decode_environment(picture.png)[0], ROOM)


def test_what_may_be_somebody_is_blank_in_what_leaves_and_the_rest_was_searched_again():
    inspector = Inspector([PERSON], [])
    egress = Egress(inspector, AtOnce())
    picture, sure = egress(result(1), 0)
    assert sure == [PERSON]
    assert not picture.validity[8:40, 8:24].any()
    assert picture.validity.any()
    assert picture.png == inspector.seen[-1]
    assert (decode_environment(picture.png)[0][~picture.validity] == FILL).all()
    assert (egress.inspected, egress.found) == (1, 1)


@pytest.mark.parametrize(("score", "valid_share"), [(0.3, 1.0), (0.9, 0.5)])
def test_a_weak_finding_or_one_round_a_hole_is_blanked_and_quarantines_nobody(score, valid_share):
    weak = Finding("person", PERSON.box, score, valid_share)
    egress = Egress(Inspector([weak], [], []), AtOnce())
    picture, sure = egress(result(1), 0)
    assert not sure
    assert not picture.validity[8:40, 8:24].any()
    picture, _ = egress(result(2), 1)
    assert picture.validity.all()


def test_a_picture_in_which_there_is_always_something_else_shows_nothing():
    picture, _ = Egress(lambda _png: [PERSON], AtOnce())(result(1), 0)
    assert not picture.validity.any()


def test_a_shape_of_nothing_but_fill_is_nobody():
    picture, findings = Egress(Inspector([OUTLINE]), AtOnce())(result(1), 0)
    assert not findings
    assert picture.validity.all()


def test_nothing_is_shown_while_the_first_picture_is_inspected():
    executor = Later()
    egress = Egress(Inspector(), executor)
    assert not egress(result(1), 0)[0].validity.any()
    assert not egress(result(1), 1)[0].validity.any()
    executor.work()
    assert egress(result(1), 2)[0].validity.all()


def test_a_picture_is_inspected_once_however_often_it_is_offered():
    inspector = Inspector()
    egress = Egress(inspector, AtOnce())
    epochs = {egress(result(1), k)[0].epoch for k in range(5)}
    assert len(inspector.seen) == 1
    assert len(epochs) == 1


def test_background_that_is_no_longer_sure_is_not_repeated_and_soon_not_named():
    executor = Later()
    egress = Egress(Inspector(), executor)
    egress(result(1), 0)
    executor.work()
    less = np.zeros(SHAPE, np.bool_)
    less[:, :32] = True
    before, _ = egress(result(1), 0)
    assert not egress.stale
    held, _ = egress(result(2, less), NS_PER_S)
    assert held is before
    assert egress.stale
    late, _ = egress(result(2, less), NS_PER_S + int(PATIENCE_S * NS_PER_S))
    assert not late.validity.any()
    assert late.epoch > before.epoch
    executor.work()
    after, _ = egress(result(2, less), 20 * NS_PER_S)
    np.testing.assert_array_equal(after.validity, less)
    assert not egress.stale


def test_an_inspection_that_fails_shows_nothing_and_is_tried_again():
    calls = []

    def inspect(png):
        calls.append(png)
        if len(calls) == 2:
            raise RuntimeError("no memory left")
        return []

    egress = Egress(inspect, AtOnce())
    assert egress(result(1), 0)[0].validity.all()
    with pytest.raises(RuntimeError, match="memory"):
        egress(result(2, np.eye(*SHAPE, dtype=np.bool_)), 1)
    assert not egress.current.validity.any()
    assert egress(result(3), 2)[0].validity.all()


def test_a_picture_of_another_size_starts_with_nothing_and_a_new_epoch():
    egress = Egress(Inspector(), AtOnce())
    before, _ = egress(result(1), 0)
    executor = Later()
    egress._executor = executor
    validity = np.ones((10, 12), np.bool_)
    other = EngineResult(np.zeros((10, 12, 3), np.uint8), validity, True, 2, 0.0, 0.0, 0.0)
    picture, _ = egress(other, 1)
    assert picture.validity.shape == (10, 12)
    assert not picture.validity.any()
    assert picture.epoch > before.epoch
