from concurrent.futures import Executor, Future
from dataclasses import replace
from hashlib import sha256
from math import ceil

import numpy as np
import pytest

from privcam_core.detection.inspection import SensitiveDetection
from privcam_core.images.environment import FILL, decode_environment
from privcam_core.inline_executor import InlineExecutor
from privcam_core.types.time import NS_PER_S
from privcam_privacy.background.engine import EngineResult
from privcam_privacy.background.exclusion_masks import Margins
from privcam_privacy.egress.inspection import WITHDRAW_S, Egress
from privcam_privacy.egress.inspection_rest import InspectionRest

SHAPE = (48, 64)
ROOM = np.random.default_rng(2).integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
PERSON = SensitiveDetection("person", (8.0, 8.0, 24.0, 40.0), 0.9, 1.0)
UNCERTAIN = replace(PERSON, score=0.3)
OUTLINE = SensitiveDetection("person", (8.0, 8.0, 24.0, 40.0), 0.9, 0.0)


def result(epoch, confirmed=None):
    confirmed = np.ones(SHAPE, np.bool_) if confirmed is None else confirmed
    plate = np.where(confirmed[..., None], ROOM, np.uint8(FILL))
    return EngineResult(plate, confirmed, True, epoch, 0.0, 0.0, 0.0)


class Later(Executor):
    """Keeps submitted functions until `work` runs them."""

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
    """Returns the given detections one after the other, and keeps the bytes that it inspected."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.seen = []

    def inspect(self, png):
        self.seen.append(png)
        return self.answers.pop(0) if self.answers else []


def test_a_picture_leaves_only_with_the_bytes_that_were_inspected():
    inspector = Inspector()
    picture, certain = Egress(inspector, InlineExecutor()).update(result(1), 0)
    assert inspector.seen == [picture.png]
    assert certain == []
    np.testing.assert_array_equal(decode_environment(picture.png)[0], ROOM)


def test_a_detection_is_blank_in_the_picture_that_leaves_and_the_rest_was_searched_again():
    inspector = Inspector([UNCERTAIN], [])
    egress = Egress(inspector, InlineExecutor())
    picture, certain = egress.update(result(1), 0)
    assert certain == []
    assert not picture.confirmed[8:40, 8:24].any()
    assert picture.confirmed.any()
    assert picture.png == inspector.seen[-1]
    assert (decode_environment(picture.png)[0][~picture.confirmed] == FILL).all()
    assert (egress.inspected, egress.found) == (1, 1)


def test_nothing_of_a_picture_leaves_in_which_somebody_was_found_and_the_next_one_is_inspected_at_once():
    inspector = Inspector([PERSON], [])
    egress = Egress(inspector, InlineExecutor())
    picture, certain = egress.update(result(1), 0)
    assert certain == [PERSON]
    assert not picture.confirmed.any()
    without = np.ones(SHAPE, np.bool_)
    without[:, :40] = False
    picture, certain = egress.update(result(2, without), 1)
    assert certain == []
    np.testing.assert_array_equal(picture.confirmed, without)
    assert picture.png == inspector.seen[-1]


def test_what_was_computed_before_a_finding_is_not_inspected_with_it_and_the_picture_of_before_is_blanked():
    later, inspector = Later(), Inspector([], [PERSON], [])
    egress = Egress(inspector, later)
    egress.update(result(1), 0)
    later.work()
    picture, _ = egress.update(result(1), 1)
    assert picture.confirmed.all()
    egress.update(result(2), 10 * NS_PER_S)
    later.work()
    picture, certain = egress.update(result(2), 11 * NS_PER_S)
    assert certain == [PERSON]
    assert not picture.confirmed[8:40, 8:24].any()
    assert later.waiting == []


@pytest.mark.parametrize(("score", "confirmed_fraction"), [(0.3, 1.0), (0.9, 0.5)])
def test_a_detection_with_low_score_or_around_a_hole_is_blanked_and_quarantines_nobody(score, confirmed_fraction):
    uncertain = SensitiveDetection("person", PERSON.box, score, confirmed_fraction)
    egress = Egress(Inspector([uncertain], [], []), InlineExecutor())
    picture, certain = egress.update(result(1), 0)
    assert not certain
    assert not picture.confirmed[8:40, 8:24].any()
    # The region is looked at again, later: nothing of it is new.
    assert not egress.update(result(2), 1)[0].confirmed.all()
    assert egress.update(result(2), 11 * NS_PER_S)[0].confirmed.all()


@pytest.mark.parametrize("box", [(8.4, 8.4, 24.4, 40.4), (8.6, 8.6, 23.6, 39.6)])
def test_blanked_box_is_rounded_outwards_and_never_smaller_than_asked(box):
    detection = replace(UNCERTAIN, box=box)
    egress = Egress(Inspector([detection], []), InlineExecutor(), Margins(box=0.0, pad=0.0))
    picture, _ = egress.update(result(1), 0)
    rows, columns = np.nonzero(~picture.confirmed)
    assert (columns.min(), rows.min()) == (8, 8)
    assert columns.max() + 1 == ceil(box[2])
    assert rows.max() + 1 == ceil(box[3])


def test_a_picture_with_detections_in_every_round_is_withheld():
    picture, _ = Egress(Inspector(*[[PERSON]] * 99), InlineExecutor()).update(result(1), 0)
    assert not picture.confirmed.any()


def test_a_shape_that_is_all_fill_is_no_person():
    picture, certain = Egress(Inspector([OUTLINE]), InlineExecutor()).update(result(1), 0)
    assert not certain
    assert picture.confirmed.all()


def test_everything_is_withheld_while_the_first_picture_is_inspected():
    executor = Later()
    egress = Egress(Inspector(), executor)
    assert not egress.update(result(1), 0)[0].confirmed.any()
    assert not egress.update(result(1), 1)[0].confirmed.any()
    executor.work()
    assert egress.update(result(1), 2)[0].confirmed.all()


def test_a_picture_is_inspected_once_however_often_it_is_offered():
    inspector = Inspector()
    egress = Egress(inspector, InlineExecutor())
    epochs = {egress.update(result(1), k)[0].epoch for k in range(5)}
    assert len(inspector.seen) == 1
    assert len(epochs) == 1


def left_half():
    less = np.zeros(SHAPE, np.bool_)
    less[:, :32] = True
    return less


def test_background_that_is_no_longer_confirmed_is_taken_out_without_an_inspection():
    inspector, executor = Inspector(), Later()
    egress = Egress(inspector, executor)
    egress.update(result(1), 0)
    executor.work()
    whole, _ = egress.update(result(1), 0)
    less, _ = egress.update(result(2, left_half()), NS_PER_S)
    np.testing.assert_array_equal(less.confirmed, left_half())
    plate, shown = decode_environment(less.png)
    np.testing.assert_array_equal(shown, left_half())
    np.testing.assert_array_equal(plate[shown], ROOM[shown])
    assert (plate[~shown] == FILL).all()
    assert less.inspected == sha256(less.png).digest()
    assert less.epoch > whole.epoch
    assert len(inspector.seen) == 1


def test_background_is_taken_out_at_most_once_a_second_and_not_repeated_until_then():
    egress = Egress(Inspector(), InlineExecutor())
    egress.update(result(1), 0)
    half, quarter = left_half(), left_half()
    quarter[24:] = False
    before, _ = egress.update(result(2, half), NS_PER_S)
    assert not egress.stale
    held, _ = egress.update(result(3, quarter), NS_PER_S + 1)
    assert held is before
    assert egress.stale
    after, _ = egress.update(result(3, quarter), NS_PER_S + int(WITHDRAW_S * NS_PER_S))
    np.testing.assert_array_equal(after.confirmed, quarter)
    assert not egress.stale


def test_what_is_no_longer_confirmed_when_the_inspection_ends_does_not_leave_at_all():
    executor = Later()
    egress = Egress(Inspector(), executor)
    egress.update(result(1, left_half()), 0)
    executor.work()
    egress.update(result(2), 3 * NS_PER_S)
    egress.update(result(3, np.eye(*SHAPE, dtype=np.bool_)), 4 * NS_PER_S - 1)
    executor.work()
    picture, _ = egress.update(result(3, left_half()), 4 * NS_PER_S)
    np.testing.assert_array_equal(picture.confirmed, left_half())


def test_much_new_background_is_inspected_at_once_and_a_little_every_ten_seconds():
    inspector = Inspector()
    egress = Egress(inspector, InlineExecutor())
    nearly = np.ones(SHAPE, np.bool_)
    nearly[:4, :8] = False
    egress.update(result(1, left_half()), 0)
    assert egress.update(result(2, nearly), NS_PER_S)[0].confirmed.sum() == nearly.sum()
    for second in range(2, 11):
        assert not egress.update(result(3), second * NS_PER_S)[0].confirmed.all()
    assert len(inspector.seen) == 2
    assert egress.update(result(3), 11 * NS_PER_S)[0].confirmed.all()


def test_background_that_comes_back_is_inspected_again():
    inspector = Inspector()
    egress = Egress(inspector, InlineExecutor())
    egress.update(result(1), 0)
    egress.update(result(2, left_half()), NS_PER_S)
    assert egress.update(result(3), 2 * NS_PER_S)[0].confirmed.all()
    assert len(inspector.seen) == 2


def test_an_inspection_that_fails_withholds_everything_and_is_tried_again():
    class FailingInspector(Inspector):
        def inspect(self, png):
            super().inspect(png)
            if len(self.seen) == 2:
                raise RuntimeError("no memory left")
            return []

    egress = Egress(FailingInspector(), InlineExecutor())
    assert egress.update(result(1), 0)[0].confirmed.all()
    with pytest.raises(RuntimeError, match="memory"):
        egress.update(result(2), 11 * NS_PER_S)
    assert not egress.current.confirmed.any()
    assert egress.update(result(3), 12 * NS_PER_S)[0].confirmed.all()


def test_a_picture_of_another_size_starts_with_nothing_and_a_new_epoch():
    egress = Egress(Inspector(), InlineExecutor())
    before, _ = egress.update(result(1), 0)
    executor = Later()
    egress._executor = executor
    confirmed = np.ones((10, 12), np.bool_)
    other = EngineResult(np.zeros((10, 12, 3), np.uint8), confirmed, True, 2, 0.0, 0.0, 0.0)
    picture, _ = egress.update(other, 1)
    assert picture.confirmed.shape == (10, 12)
    assert not picture.confirmed.any()
    assert picture.epoch > before.epoch


class Working(Inspector):
    """Takes two seconds of the processor for a picture."""

    processor_s = 0.0

    def inspect(self, png):
        self.processor_s += 2.0
        return super().inspect(png)


def resting_egress(inspector):
    """Return an egress with a rest, and the wall clock of that rest, s."""
    wall_s = [0.0]
    rest = InspectionRest(lambda: wall_s[0], lambda: inspector.processor_s)
    return Egress(inspector, InlineExecutor(), rest=rest), wall_s


def test_much_new_background_waits_for_the_short_rest_and_little_for_the_long_one():
    inspector = Working()
    egress, wall_s = resting_egress(inspector)
    half, most = np.zeros(SHAPE, np.bool_), np.ones(SHAPE, np.bool_)
    half[:, :32] = True
    most[0, 0] = False
    egress.update(result(1, half), 0)
    egress.update(result(2, most), NS_PER_S)
    assert len(inspector.seen) == 1
    wall_s[0] = 6.1
    egress.update(result(2, most), 2 * NS_PER_S)
    assert len(inspector.seen) == 2
    wall_s[0] += 6.1
    egress.update(result(3), 60 * NS_PER_S)
    assert len(inspector.seen) == 2
    wall_s[0] += 32.0
    picture, _ = egress.update(result(3), 61 * NS_PER_S)
    assert len(inspector.seen) == 3
    assert picture.confirmed.all()


def test_after_a_finding_the_next_inspection_waits_for_the_short_rest():
    inspector = Working([PERSON], [])
    egress, wall_s = resting_egress(inspector)
    egress.update(result(1), 0)
    seen = len(inspector.seen)
    egress.update(result(2), NS_PER_S)
    assert len(inspector.seen) == seen
    wall_s[0] = 2.0 * seen * 3.1
    egress.update(result(2), 2 * NS_PER_S)
    assert len(inspector.seen) > seen


def test_background_is_withdrawn_while_the_inspection_rests():
    inspector = Working()
    egress, _ = resting_egress(inspector)
    egress.update(result(1), 0)
    less = np.ones(SHAPE, np.bool_)
    less[:8] = False
    picture, _ = egress.update(result(2, less), ceil(WITHDRAW_S + 1) * NS_PER_S)
    assert not picture.confirmed[:8].any()
    assert len(inspector.seen) == 1
