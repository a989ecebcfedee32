"""Runs one film through the edge and measures what leaks; the edge ends and starts again where the film says so."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from privcam_audit.leakage.counterfactual import invert_labelled
from privcam_audit.leakage.differential import LEVELS
from privcam_audit.perception_recording import START_NS, FramePerception
from privcam_audit.scenarios.room_share import RoomShare
from privcam_audit.scenarios.scenario_perception import KeyClock, ScenarioPerception
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


class _StateFolder:
    """What an edge stores in `folder`, as crashes leave it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._now, self._before = dict[Path, bytes](), dict[Path, bytes]()

    def observe(self) -> None:
        """Keep the files of before, where they were replaced."""
        files = {path: path.read_bytes() for path in sorted(self._folder.rglob("*")) if path.is_file()}
        if files != self._now:
            self._now, self._before = files, self._now

    def apply(self, event: Event) -> None:
        """Change the files as the event does."""
        self.observe()
        path = self._folder / FILE
        half = self._now.get(path, b"")[: len(self._now.get(path, b"")) // 2]
        if event is Event.STATE_DELETED:
            path.unlink(missing_ok=True)
        elif event is Event.KILLED_OLD_FILE:
            for file in self._now:  # written beside and renamed: what is cut off is never the file itself
                file.write_bytes(self._before[file]) if file in self._before else file.unlink()
            path.with_name(f".{FILE}.partial").write_bytes(half)
        elif event is Event.KILLED_HALF_FILE and half:
            path.write_bytes(half)


class _RunningEdge:
    """An edge, its state, and the picture that the cloud has of it."""

    def __init__(self, start: StartEdge, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._start, self._folder = start, folder
        self._edge, self._files = start(folder), _StateFolder(folder)
        self.environment: Image = np.zeros((1, 1, 3), np.uint8)
        self.confirmed: BoolArray = np.zeros((1, 1), np.bool_)

    def process(self, key: SyncKey, image: Image, step: Step, found: FramePerception) -> None:
        """Send one frame through the edge; before, let happen to it what happens in this step."""
        if step.event is not Event.NONE:
            self._files.apply(step.event)
            self._edge = self._start(self._folder)
        published = self._edge.erase(key, image, found.detections, found.tracks, found.poses)
        if published.environment.png:
            self.environment, self.confirmed = decode_environment(published.environment.png)
        self._files.observe()


@dataclass(frozen=True, eq=False)
class WorstFrame:
    """The frame in which most pixels leaked: what the camera saw, what the cloud has, and what leaked (H, W)."""

    image: Image
    environment: Image
    leaking: BoolArray


class FilmRun:
    """One edge, and what leaks of a film that is shown to it.

    start: of the edge. folder: a new one, for its state. room: (H, W), the approved pixels. counterfactual: run a
    second edge beside it, which sees people with other values and gets the same perception. worst: the worst frame.
    """

    def __init__(self, start: StartEdge, folder: Path, room: BoolArray, *, counterfactual: bool = False) -> None:
        self._edge = _RunningEdge(start, folder / "edge")
        self._other = _RunningEdge(start, folder / "counterfactual") if counterfactual else None
        self.leak = ValueLeak(counterfactual=0 if counterfactual else None, room=RoomShare(room))
        self.worst: WorstFrame | None = None

    def show(self, key: SyncKey, step: Step, found: FramePerception) -> None:
        """Show the next frame to the edge, with its perception, and measure."""
        leak, edge = self.leak, self._edge
        edge.process(key, step.image, step, found)
        before = leak.worst
        leaking = leak.add(step.scene, edge.environment, edge.confirmed, (key.stamp_ns - START_NS) / NS_PER_S)
        if leak.worst > before:
            self.worst = WorstFrame(step.image, edge.environment, leaking)
        if self._other is not None and leak.counterfactual is not None:
            self._other.process(key, invert_labelled(step.image, step.scene.labelled), step, found)
            leak.counterfactual += _exposed(edge, self._other, step.scene)


def run_film(film: Iterable[Step], perception: ScenarioPerception, runs: Sequence[FilmRun]) -> int:
    """Show a film to all runs at once, so that it is made and perceived once. Return the number of its frames."""
    perception.restart()
    clock, count = KeyClock(), 0
    for step in film:
        key = clock.next_key(step)
        found = perception.perceive(key, step)
        for run in runs:
            run.show(key, step, found)
        count += 1
    return count


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
