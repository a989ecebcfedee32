"""The scenarios on a drawn room: a leaking edge is found by each of them, and the adaptive edge leaks nothing."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from privcam_audit.leakage.person_labels import Labels
from privcam_audit.perception_recording import CAMERA_ID, START_NS, FramePerception
from privcam_audit.scenarios.clip_frames import ClipFrames
from privcam_audit.scenarios.films.catalogue import SCENARIOS, SHOWN_S
from privcam_audit.scenarios.scenario_audit import ScenarioOptions, run_scenario
from privcam_audit.scenarios.scenario_command import choose_evidence, choose_scenarios, report_scenarios
from privcam_audit.scenarios.scenario_report import Outcome
from privcam_audit.scenarios.scene import Event, Scene, Step
from privcam_audit.scenarios.value_leak import ValueLeak
from privcam_core.images.environment import encode_environment
from privcam_core.images.environment_writer import EnvironmentWriter
from privcam_core.inline_executor import InlineExecutor
from privcam_core.storage_key import StorageKey
from privcam_core.types.omega import SyncKey
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_privacy.background.clean_plate import PlateTimes
from privcam_privacy.background.engine import PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.baselines.mask_only import MaskOnlyEngine
from privcam_privacy.eraser import Published
from privcam_privacy.evidence.approved_background import ApprovedState
from privcam_privacy.state.background_state import BackgroundStateStore

SHAPE = (96, 128)
RATE_HZ = 5.0
PERSON = (16, 44)  # width and height, px
QUICK = EngineSettings(
    evidence="transit",
    times=PlateTimes(confirm_s=2.0, low_confidence_s=3.0, change_s=3.0, relearn_s=6.0),
    person_hold_s=1.0,
    step_s=0.5,
)


def drawn_room() -> np.ndarray:
    coarse = np.random.default_rng(3).integers(70, 180, (12, 16, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


def drawn_clip(empty: int = 25, inside: int = 30) -> ClipFrames:
    """An empty room; then somebody comes in from the left, and stands still."""
    random, room = np.random.default_rng(5), drawn_room()
    shirt = np.kron(random.choice((0, 20, 235, 255), (11, 4, 3)).astype(np.uint8), np.ones((4, 4, 1), np.uint8))
    images, boxes, found = [], [], []
    for number in range(empty + inside):
        image = np.clip(room + random.normal(0, 1.5, room.shape), 0, 255).astype(np.uint8)
        rows = np.zeros((0, 4), np.float32)
        if number >= empty:
            x = min(-8 + 6 * (number - empty), 52)
            left = max(x, 0)
            image[36 : 36 + PERSON[1], left : x + PERSON[0]] = shirt[:, left - x :]
            rows = np.array([(left, 36, x + PERSON[0], 36 + PERSON[1])], np.float32)
        key = SyncKey(CAMERA_ID, number + 1, START_NS + number * 2 * 10**8)
        images.append(image)
        boxes.append(rows)
        found.append(FramePerception(key, Detections(rows, np.full(len(rows), 0.9, np.float32)), [], []))
    known = np.ones(SHAPE, np.bool_)
    return ClipFrames("drawn", images, Labels(boxes), found, room, known, RATE_HZ)


class GivenPerception:
    """Finds the people where they are drawn, for `sees_s` after the start; a track that has no box is lost."""

    def __init__(self, sees_s: float = 1e9) -> None:
        self._sees_ns = round(sees_s * 1e9)
        self._tracks: list[Track] = []

    def restart(self) -> None:
        self._tracks = []

    def perceive(self, key: SyncKey, step: Step) -> FramePerception:
        if step.event is not Event.NONE:
            self.restart()
        sees = not step.blind and step.scene.person.any() and key.stamp_ns - START_NS <= self._sees_ns
        boxes = np.zeros((0, 4), np.float32)
        if sees:
            rows, columns = (np.flatnonzero(step.scene.person.any(axis=axis)) for axis in (1, 0))
            box = (float(columns[0]), float(rows[0]), columns[-1] + 1.0, rows[-1] + 1.0)
            boxes = np.array([box], np.float32)
            self._tracks = [Track(1, box, (0.0, 0.0, 0.0, 0.0), 0.9, TrackState.CONFIRMED, 9, 9, 0)]
        elif self._tracks:
            lost = self._tracks[0]
            state = TrackState.LOST
            self._tracks = [Track(1, lost.box, lost.velocity, 0.9, state, 9, lost.age + 1, lost.lost_frames + 1)]
        return FramePerception(key, Detections(boxes, np.full(len(boxes), 0.9, np.float32)), self._tracks, [])


class EngineEdge:
    """An edge without networks: the engine, its state, and no inspection."""

    def __init__(self, engine, folder: Path | None = None) -> None:
        self._engine, self._writer, self._store = engine, EnvironmentWriter(), None
        if folder is not None:
            self._store = BackgroundStateStore(folder, "room", StorageKey(bytes(32)), InlineExecutor())
            try:
                state = self._store.load()
            except ValueError:
                state = None
            if state is not None:
                engine.restore(state)

    def erase(self, key, image, detections, tracks, _poses):
        result = self._engine.update(image, detections, tracks, np.zeros(image.shape[:2], np.bool_), key.stamp_ns)
        png = encode_environment(result.environment_plate, result.confirmed)
        if self._store is not None:
            self._store.save(png, self._engine.presences, key.stamp_ns)
        return Published(self._writer.write(key, png, result.epoch), None, [], b"")


def leaking_edge(_clip, _scenario, _kind, _folder):
    return EngineEdge(MaskOnlyEngine())


def adaptive_edge(_clip, _scenario, _kind, folder):
    return EngineEdge(PrivacyEngine(QUICK), folder)


def run(name, make, tmp_path, *, sees_s=1e9, counterfactual=False, clip=None) -> ValueLeak:
    options = ScenarioOptions(tmp_path, [name], ["one"], counterfactual=counterfactual)
    tmp_path.mkdir(exist_ok=True)
    perception, scenario = GivenPerception(sees_s), SCENARIOS[name]
    (outcome,) = run_scenario(clip or drawn_clip(), scenario, options, perception, make, lambda _: None)
    return outcome.leak


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_an_edge_that_leaks_is_found_in_every_scenario(name: str, tmp_path: Path) -> None:
    leak = run(name, leaking_edge, tmp_path)
    assert leak.labelled > 0
    assert (leak.fraction or 0) > 0.5
    assert leak.confirmed_end == 1.0
    assert (tmp_path / f"worst_drawn_{name}_one.png").exists()


@pytest.mark.parametrize(
    "name",
    [
        "daylight",
        "restart_enter",
        "restart_half",
        "restart_end",
        "restart_still",
        "killed_old_file",
        "size_once",
        "size",
        "fall_left",
        "fall_right",
        "fall_upper",
        "fall_lower",
        "lost_falls",
    ],
)
def test_the_adaptive_edge_leaks_nothing(name: str, tmp_path: Path) -> None:
    leak = run(name, adaptive_edge, tmp_path)
    assert leak.labelled > 0
    assert leak.leaked == 0
    assert max(leak.confirmed) > 0.5


@pytest.mark.parametrize("name", ["poster", "television"])
def test_people_on_the_wall_are_shown_unless_they_are_in_a_mask_zone(name: str, tmp_path: Path) -> None:
    def masking_edge(clip, scenario, _kind, folder):
        return EngineEdge(PrivacyEngine(replace(QUICK, mask_zones=scenario.mask_zones(clip))), folder)

    shown = run(name, masking_edge, tmp_path / "shown")
    masked = run(f"{name}_masked", masking_edge, tmp_path / "masked")
    assert shown.depicted == masked.depicted > 0
    assert name == "television" or shown.depicted_displayed > 0
    assert masked.depicted_displayed == 0
    assert max(masked.confirmed) > 0.5


def test_clips_take_turns_and_all_of_them_are_used() -> None:
    options = ScenarioOptions(Path(), clips_per_scenario=3)
    chosen = [options.chosen(clip, 20) for clip in range(20)]
    assert all(chosen)
    assert {sum(name in names for names in chosen) for name in SCENARIOS} == {3}
    assert ScenarioOptions(Path(), clips_per_scenario=3).chosen(1, 2) == list(SCENARIOS)


def test_the_counterfactual_test_finds_an_edge_that_leaks_and_no_other(tmp_path: Path) -> None:
    assert (run("daylight", leaking_edge, tmp_path / "a", counterfactual=True).counterfactual or 0) > 0
    assert run("daylight", adaptive_edge, tmp_path / "b", counterfactual=True).counterfactual == 0


def test_somebody_whom_the_detector_never_finds_leaks_in_transit_when_the_edge_starts_in_front_of_them(
    tmp_path: Path,
) -> None:
    leak = run("still", adaptive_edge, tmp_path, sees_s=-1.0)
    assert leak.leaked > 0
    assert 0 < (leak.first_s or 0) < 10


def scene(picture: int, room: int) -> Scene:
    whole, nothing = np.ones((4, 4), np.bool_), np.zeros((4, 4), np.bool_)
    return Scene(flat(picture), flat(room), whole, whole, whole, nothing)


def flat(value: int) -> np.ndarray:
    return np.full((4, 4, 3), value, np.uint8)


@pytest.mark.parametrize(
    ("environment", "confirmed", "leaks"),
    [(200, True, 16), (185, True, 16), (100, True, 0), (200, False, 0), (150, True, 0)],
)
def test_a_pixel_leaks_when_it_shows_the_person_and_not_the_room(environment: int, confirmed: bool, leaks: int) -> None:
    leak = ValueLeak()
    leak.add(scene(200, 100), flat(environment), np.full((4, 4), confirmed), 1.0)
    assert (leak.leaked, leak.labelled) == (leaks, 16)


def test_the_room_as_it_was_before_a_change_is_no_person() -> None:
    leak, before = ValueLeak(), flat(200)
    leak.add(replace(scene(200, 100), room_before=before), before, np.ones((4, 4), np.bool_), 1.0)
    assert leak.leaked == 0


def test_in_the_dark_smaller_differences_are_people() -> None:
    dark = scene(200, 100).with_light(lambda image: image // 10, gain=0.1)
    assert dark.same_levels == 3.0
    leak = ValueLeak()
    leak.add(dark, flat(19), np.ones((4, 4), np.bool_), 1.0)
    leak.add(dark, flat(11), np.ones((4, 4), np.bool_), 2.0)
    assert leak.leaked == 16


def test_an_environment_of_another_size_is_compared_in_the_size_of_the_frame() -> None:
    leak = ValueLeak()
    leak.add(scene(200, 100), np.full((8, 8, 3), 200, np.uint8), np.ones((8, 8), np.bool_), 1.0)
    assert leak.leaked == 16


@pytest.mark.parametrize("name", ["room_day", "room_lamp", "room_night"])
def test_of_a_commissioned_room_all_is_shown_before_somebody_comes_and_the_rest_of_it_afterwards(
    name: str, tmp_path: Path
) -> None:
    def approved_edge(clip, scenario, _kind, folder):
        states = [ApprovedState(str(room), room(clip), clip.known) for room in scenario.rooms]
        return EngineEdge(PrivacyEngine(approved=states), folder)

    leak = run(name, approved_edge, tmp_path)
    assert leak.leaked == 0
    assert leak.room is not None
    assert (leak.room.at(SHOWN_S) or 0) >= 0.99
    assert (leak.room.at(SCENARIOS[name].mark_s) or 0) >= 0.95
    assert leak.room.frames[-1][1] >= 0.9


class RecordingEdge:
    """Keeps what its state file held at each start."""

    starts: ClassVar[list[bytes]] = []

    def __init__(self, folder: Path) -> None:
        path = folder / "state.zip"
        self.starts.append(path.read_bytes() if path.exists() else b"")
        self._path, self._number = path, 0
        self._edge = EngineEdge(MaskOnlyEngine())

    def erase(self, key, image, detections, tracks, poses):
        self._number += 1
        self._path.write_bytes(b"file %4d" % self._number)
        return self._edge.erase(key, image, detections, tracks, poses)


@pytest.mark.parametrize("name", ["restart_still", "killed_old_file", "killed_half_file", "state_deleted"])
def test_a_crash_leaves_the_file_that_the_scenario_says(name: str, tmp_path: Path) -> None:
    RecordingEdge.starts.clear()
    run(name, lambda _clip, _scenario, _kind, folder: RecordingEdge(folder), tmp_path)
    film = SCENARIOS[name].film(drawn_clip(), np.random.default_rng(7))
    written = next(number for number, step in enumerate(film) if step.event is not Event.NONE)
    expected = {
        "restart_still": b"file %4d" % written,
        "killed_old_file": b"file %4d" % (written - 1),
        "killed_half_file": b"file",
        "state_deleted": b"",
    }
    assert RecordingEdge.starts == [b"", expected[name]]


def test_scenarios_are_chosen_by_name_or_by_the_beginning_of_it() -> None:
    assert choose_scenarios("all") == list(SCENARIOS)
    assert choose_scenarios("poster,fall") == ["fall_left", "fall_right", "fall_upper", "fall_lower", "poster"]
    assert choose_scenarios("size") == ["size"]
    with pytest.raises(ValueError, match="earthquake"):
        choose_scenarios("poster,earthquake")
    assert choose_evidence("transit,mask_only") == ["transit", "mask_only"]
    with pytest.raises(ValueError, match="hope"):
        choose_evidence("hope")


def test_the_report_has_the_leak_beside_what_is_shown_and_names_the_losing_cases(tmp_path: Path, capsys) -> None:
    leaking = ValueLeak(1000, 500, [0.0, 0.7], worst=250, worst_s=4.0, first_s=2.0, depicted=10, depicted_displayed=5)
    clean = ValueLeak(1000, 0, [0.0, 0.2], counterfactual=0)
    outcomes = [Outcome("a", "poster", "transit", leaking), Outcome("a", "poster", "commissioned", clean)]
    options = ScenarioOptions(tmp_path, ["poster"])
    assert report_scenarios([outcomes], options, {"command": "privcam audit", "date": "today"}, lambda _: None)
    assert "| poster | **5.0e-01**; 70%; 1 of 1 | 0; 20%; 0 of 1 |" in capsys.readouterr().out
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "poster, transit, a: 500 of 1000 person pixels" in report
    assert "50% of its pixels are shown" in report
    assert (tmp_path / "report.json").exists()
    assert (tmp_path / "scenarios.png").exists()
    baseline = [Outcome("a", "poster", "mask_only", leaking)]
    assert not report_scenarios([baseline], options, {"command": "privcam audit", "date": "today"}, lambda _: None)
