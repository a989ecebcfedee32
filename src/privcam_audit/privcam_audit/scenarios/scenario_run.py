"""Runs one film through the edge and measures what leaks; the edge ends and starts again where the film says so."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from privcam_audit.leakage.counterfactual import invert_labelled
from privcam_audit.leakage.differential import LEVELS
from privcam_audit.perception_recording import START_NS, FramePerception
from privcam_audit.scenarios.scenario_perception import KeyClock
from privcam_audit.scenarios.scene import Event, Scene, Step, distance
from privcam_audit.scenarios.value_leak import ValueLeak
from privcam_core.images.environment import decode_environment
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import SubjectPose, SyncKey
from privcam_core.types.perception import Detections, Track
from privcam_core.types.time import NS_PER_S
from privcam_privacy.eraser import Published
from privcam_privacy.state.background_state import FILE

# The half hour of evidence `stillness` is shortened to this, s: people move no less in it, so it shows them sooner.
STILLNESS_S = 20.0


class Edge(Protocol):
    """The seam of the edge, as `Eraser`."""

    def erase(
        self,
        key: SyncKey,
        image: Image,
        detections: Detections,
        tracks: Sequence[Track],
        poses: Sequence[SubjectPose],
    ) -> Published:
        """Return what may be published of one frame."""


# Starts an edge that keeps its state in the folder.
StartEdge = Callable[[Path], Edge]


class _StateFile:
    """The stored state of an edge in `folder`, as crashes leave it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._now = self._before = b""

    def observe(self) -> None:
        """Keep the file of before, where it was replaced."""
        data = self._path.read_bytes() if self._path.exists() else b""
        if data != self._now:
            self._now, self._before = data, self._now

    def apply(self, event: Event) -> None:
        """Change the file as the event does."""
        self.observe()
        if event is Event.STATE_DELETED or (event is Event.KILLED_OLD_FILE and not self._before):
            self._path.unlink(missing_ok=True)
        elif event is Event.KILLED_OLD_FILE:
            # `write_private` writes beside and renames: what is cut off is never the file itself.
            self._path.write_bytes(self._before)
            self._path.with_name(f".{FILE}.partial").write_bytes(self._now[: len(self._now) // 2])
        elif event is Event.KILLED_HALF_FILE and self._now:
            self._path.write_bytes(self._now[: len(self._now) // 2])


class _RunningEdge:
    """An edge, its state, and the picture that the cloud has of it."""

    def __init__(self, start: StartEdge, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._start, self._folder = start, folder
        self._edge = start(folder)
        self._file = _StateFile(folder)
        self.environment: Image = np.zeros((1, 1, 3), np.uint8)
        self.confirmed: BoolArray = np.zeros((1, 1), np.bool_)

    def process(self, key: SyncKey, image: Image, step: Step, found: FramePerception) -> None:
        """Send one frame through the edge; before, let happen to it what happens in this step."""
        if step.event is not Event.NONE:
            self._file.apply(step.event)
            self._edge = self._start(self._folder)
        published = self._edge.erase(key, image, found.detections, found.tracks, found.poses)
        if published.environment.png:
            self.environment, self.confirmed = decode_environment(published.environment.png)
        self._file.observe()


@dataclass(frozen=True, eq=False)
class WorstFrame:
    """The frame in which most pixels leaked: what the camera saw, what the cloud has, and what leaked (H, W)."""

    image: Image
    environment: Image
    leaking: BoolArray


def run_film(
    film: Iterable[Step],
    found: Sequence[FramePerception],
    start: StartEdge,
    folder: Path,
    *,
    counterfactual: bool = False,
) -> tuple[ValueLeak, WorstFrame | None]:
    """Return what leaks of a film, and the worst frame.

    found: the perception of each step. start: of the edge. folder: a new one, for its state. counterfactual: run a
    second edge beside it, which sees people with other values and gets the same perception.
    """
    edge = _RunningEdge(start, folder / "edge")
    other = _RunningEdge(start, folder / "counterfactual") if counterfactual else None
    leak, worst = ValueLeak(counterfactual=0 if counterfactual else None), None
    clock = KeyClock()
    for step, perception in zip(film, found, strict=True):
        key = clock.next_key(step)
        edge.process(key, step.image, step, perception)
        before = leak.worst
        seconds = (key.stamp_ns - START_NS) / NS_PER_S
        leaking = leak.add(step.scene, edge.environment, edge.confirmed, seconds)
        if leak.worst > before:
            worst = WorstFrame(step.image, edge.environment, leaking)
        if other is not None and leak.counterfactual is not None:
            other.process(key, invert_labelled(step.image, step.scene.labelled), step, perception)
            leak.counterfactual += _exposed(edge, other, step.scene)
    return leak, worst


def _exposed(one: _RunningEdge, two: _RunningEdge, scene: Scene) -> int:
    """Return how many pixels show a colour that depends on people's values.

    Both edges show them in different colours, or one shows them, in a colour that is neither the room's nor withheld.
    """
    if one.confirmed.shape != two.confirmed.shape:
        return int(np.count_nonzero(one.confirmed)) + int(np.count_nonzero(two.confirmed))
    differing = distance(one.environment, two.environment) > LEVELS
    both = one.confirmed & two.confirmed & differing
    if one.confirmed.shape != scene.shape:
        return int(np.count_nonzero(both))
    colour = np.where(one.confirmed[..., None], one.environment, two.environment)
    foreign = scene.known & (distance(colour, scene.room) > scene.same_levels)
    return int(np.count_nonzero(both | ((one.confirmed != two.confirmed) & foreign)))
