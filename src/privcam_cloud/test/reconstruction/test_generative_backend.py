"""When a generated picture is shown, and what stands in for it; no model is needed for that."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from generative_scenes import event, scene, standing

from privcam_cloud.reconstruction.generative.generative_backend import (
    GenerativeBackend,
    NotShown,
    Picture,
    Reason,
    compose,
    misfit,
)
from privcam_cloud.reconstruction.generative.generative_settings import GenerativeSettings
from privcam_cloud.reconstruction.reconstruction_input import ReconstructionInput

FRESH_S = 5.0
# Against a test that hangs.
HANG_LIMIT_S = 300.0


def picture_of(now: ReconstructionInput) -> Picture:
    return Picture(now, now.environment, np.zeros_like(now.confirmed_mask))


class FunctionGenerator:
    """A generator whose work is one function of the test."""

    def __init__(self, function: Callable[[ReconstructionInput, Callable[[], None]], Picture]) -> None:
        self._function = function

    def generate(self, scene: ReconstructionInput, check: Callable[[], None]) -> Picture:
        return self._function(scene, check)


@pytest.fixture
def start() -> Iterator[Callable[..., GenerativeBackend]]:
    """Return what starts a backend around a function."""
    started = []

    def make(
        function: Callable[[ReconstructionInput, Callable[[], None]], Picture],
        budget_s: float = HANG_LIMIT_S,
        period_s: float = 0.01,
    ) -> GenerativeBackend:
        started.append(
            GenerativeBackend(
                lambda: FunctionGenerator(function), period_s=period_s, budget_s=budget_s, fresh_s=FRESH_S
            )
        )
        return started[-1]

    yield make
    for backend in started:
        backend.stop()


def offered(backend: GenerativeBackend, now: ReconstructionInput, *, until: Reason | type[Picture]) -> Picture | Reason:
    """Offer the scene as a screen does, until the result is as expected."""
    end = time.monotonic() + HANG_LIMIT_S
    while True:
        backend.offer(now)
        found = backend.picture(now)
        if found is until or (isinstance(until, type) and isinstance(found, until)):
            return found
        assert time.monotonic() < end, f"got {found}, waited for {until}"
        time.sleep(0.01)


def counted(backend: GenerativeBackend, name: str, now: ReconstructionInput | None = None) -> None:
    """Wait until something was counted; offer the scene meanwhile."""
    end = time.monotonic() + HANG_LIMIT_S
    while not backend.counts[name]:
        assert time.monotonic() < end, f"waited for {name}, got {backend.counts}"
        if now is not None:
            backend.offer(now)
        time.sleep(0.01)


def test_picture_that_holds_is_shown() -> None:
    made = scene(standing())
    assert misfit(picture_of(made), scene(standing(), seconds=4), FRESH_S) is None


@pytest.mark.parametrize(
    ("made", "now", "reason"),
    [
        (scene(standing()), scene(standing(), seconds=6), Reason.OLD),
        (scene(standing(), seconds=6), scene(standing()), Reason.OLD),  # the camera began anew
        (scene(standing()), scene(standing(), known=200), Reason.OTHER_ROOM),
        (scene(standing()), scene(standing(), events=(event("fall"),)), Reason.ALARM),
    ],
)
def test_picture_that_does_not_hold_any_more_is_not_shown(
    made: ReconstructionInput, now: ReconstructionInput, reason: Reason
) -> None:
    assert misfit(picture_of(made), now, FRESH_S) is reason


def test_more_of_the_room_and_an_alarm_that_the_picture_knows_do_no_harm() -> None:
    made = scene(standing(), known=200, events=(event("fall"),))
    now = scene(standing(), events=(event("fall"), event("lying", event_id=2)))
    assert misfit(picture_of(made), now, FRESH_S) is None


def test_outside_of_where_people_are_the_room_stays_and_values_that_are_no_colours_are_refused() -> None:
    now = scene(standing())
    where = np.zeros_like(now.confirmed_mask)
    where[50:100, 50:100] = True
    values = np.full((64, 64, 3), 7.5, np.float32)
    image = compose(now, values, where, [])
    assert (image[~where] == now.environment[~where]).all() and (image[where] == 255).all()
    values[3, 3, 1] = np.nan
    with pytest.raises(NotShown, match="NaN"):
        compose(now, values, where, [])


def test_nobody_needs_no_picture(start: Callable[..., GenerativeBackend]) -> None:
    assert start(lambda now, _check: picture_of(now)).picture(scene()) is Reason.NOBODY


def test_period_is_kept(start: Callable[..., GenerativeBackend]) -> None:
    painted = []

    def generate(now: ReconstructionInput, _check: Callable[[], None]) -> Picture:
        painted.append(now)
        return picture_of(now)

    backend = start(generate, period_s=HANG_LIMIT_S)
    offered(backend, scene(standing()), until=Picture)
    for _ in range(20):
        backend.offer(scene(standing(), seconds=1))
        time.sleep(0.01)
    assert len(painted) == 1


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (NotShown(Reason.REFUSED, "it shows a face"), Reason.REFUSED, "it shows a face"),
        (MemoryError(), Reason.OUT_OF_MEMORY, "smaller model"),
        (ZeroDivisionError("by zero"), Reason.CRASHED, "ZeroDivisionError: by zero"),
    ],
)
def test_what_goes_wrong_is_said_counted_and_tried_again(
    start: Callable[..., GenerativeBackend], error: Exception, reason: Reason, detail: str
) -> None:
    working = threading.Event()

    def generate(now: ReconstructionInput, _check: Callable[[], None]) -> Picture:
        if not working.is_set():
            raise error
        return picture_of(now)

    backend = start(generate)
    offered(backend, scene(standing()), until=reason)
    assert detail in backend.detail and backend.counts[reason.name.lower()] >= 1
    assert reason.is_fault
    working.set()
    offered(backend, scene(standing()), until=Picture)
    assert backend.counts["generated"] >= 1


def test_good_picture_stays_until_it_is_old_when_the_next_one_fails(start: Callable[..., GenerativeBackend]) -> None:
    def generate(now: ReconstructionInput, _check: Callable[[], None]) -> Picture:
        if now.key.frame_id > 1:
            raise NotShown(Reason.REFUSED)
        return picture_of(now)

    backend = start(generate)
    offered(backend, scene(standing()), until=Picture)
    later = scene(standing(), seconds=4)
    counted(backend, "refused", later)
    displayed = backend.picture(later)
    assert isinstance(displayed, Picture) and displayed.scene.key.frame_id == 1
    assert backend.picture(scene(standing(), seconds=6)) is Reason.REFUSED


def test_model_that_hangs_is_out_of_time_and_holds_nobody_up(start: Callable[..., GenerativeBackend]) -> None:
    go_on = threading.Event()

    def generate(now: ReconstructionInput, _check: Callable[[], None]) -> Picture:
        go_on.wait(HANG_LIMIT_S)
        return picture_of(now)

    backend = start(generate, budget_s=0.1)
    offered(backend, scene(standing()), until=Reason.OUT_OF_TIME)
    started = time.monotonic()
    for _ in range(100):
        backend.offer(scene(standing()))
        backend.picture(scene(standing()))
    assert time.monotonic() - started < 1
    go_on.set()  # what comes too late is not shown either
    counted(backend, "out_of_time")
    assert backend.counts["generated"] == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": ""}, "generative_model: is empty"),
        ({"model": "no such thing"}, "generative_model: 'no such thing' is no folder"),
        ({"control": "a/b/c"}, "generative_control: 'a/b/c'"),
        ({"period_s": 0.0}, "generative_period_s: 0.0"),
        ({"budget_s": float("nan")}, "generative_budget_s: nan"),
        ({"steps": 0}, "generative_steps: 0"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GenerativeSettings(**{"model": "owner/name", **changes})  # type: ignore[arg-type]


def test_contour_alone_loads_neither_torch_nor_the_detectors() -> None:
    code = (
        "import sys, privcam_cloud.nodes.reconstruction;"
        "sys.exit(bool({'torch', 'diffusers', 'transformers', 'onnxruntime'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=HANG_LIMIT_S).returncode == 0
