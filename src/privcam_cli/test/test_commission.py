"""`./privcam commission`, from a recording to a plate that mode `locked` may use."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from privcam_cli.commission.commission_command import Decision, main, parse_decision
from privcam_cli.commission.commission_sheet import draw, explain
from privcam_core.detection.inspection import EgressInspector
from privcam_core.images.environment import FILL, encode_environment
from privcam_core.storage_key import StorageKey
from privcam_privacy.plates.approved import ApprovedPlate, PlateRejected
from privcam_privacy.plates.approved_states import load_states
from privcam_privacy.plates.pending import PendingPlate
from privcam_privacy.plates.plate_records import Reason, Region

NOW = 1_700_000_000 * 10**9
FPS = 5


@pytest.fixture
def plates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRIVCAM_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PRIVCAM_KEYS", str(tmp_path / "keys"))
    return tmp_path / "state/plates"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of an empty room: a pattern of squares, so that nothing in it is taken for a person."""
    coarse = np.random.default_rng(1).integers(60, 190, (15, 20, 3)).astype(np.uint8)
    image = np.kron(coarse, np.ones((16, 16, 1), np.uint8))
    path = tmp_path_factory.mktemp("film") / "room.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), FPS, (320, 240))
    noise = np.random.default_rng(2)
    for _ in range(10 * FPS):
        # Without noise the camera counts as frozen.
        writer.write(np.clip(image + noise.normal(0, 1.5, image.shape), 0, 255).astype(np.uint8))
    writer.release()
    return path


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A terminal at which an operator types the lines of the list."""
    lines: list[str] = []
    keys, screen = os.openpty()
    with os.fdopen(screen, "r", encoding="utf-8") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        monkeypatch.setattr("builtins.input", lambda _prompt: lines.pop(0))
        yield lines
    os.close(keys)


def pending(*regions: Region) -> PendingPlate:
    picture = np.random.default_rng(1).integers(0, 100, (120, 160, 3), np.uint8)
    confirmed_mask, labels = np.ones((120, 160), np.bool_), np.zeros((120, 160), np.uint8)
    for region in regions:
        x0, y0, x1, y1 = region.box
        labels[y0:y1, x0:x1] = region.number
        confirmed_mask[y0:y1, x0:x1] = region.confirmed_fraction > 0
    return PendingPlate(
        encode_environment(picture, confirmed_mask), labels, regions, "ward_3", NOW, "privcam 0.1.0", {}
    )


STAND = Region(1, Reason.PERSON, (40, 30, 70, 100), 0.1, 0.0)
SOFA = Region(2, Reason.LOW_CONFIDENCE, (90, 60, 150, 110), 0.1, 1.0)


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("a", Decision(True)),
        (" Approve ", Decision(True)),
        ("a 1,3", Decision(True, frozenset({1, 3}))),
        ("a 1 -3", Decision(True, frozenset({1}), frozenset({3}))),
        ("r", Decision(False)),
        ("", None),
        ("yes", None),
        ("a one", None),
        ("ar", None),
    ],
)
def test_decision_is_parsed_or_asked_for_again(text: str, decision: Decision | None) -> None:
    assert parse_decision(text) == decision


def test_two_steps_make_a_plate_out_of_an_empty_room(
    plates: Path, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "nothing").open("w+") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        first = main(["--camera-id", "ward_3", "--source", str(film), "--operator", "Jo", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    digest = re.search(r"digest ([0-9a-f]{64})", said)
    assert (first, digest is not None) == (1, True)
    assert str(tmp_path / "plate.png") in said
    assert (tmp_path / "plate.png").stat().st_mode & 0o777 == 0o600
    with pytest.raises(PlateRejected):
        ApprovedPlate.load(plates, "ward_3", StorageKey.open())

    wrong = main(["--camera-id", "ward_3", "--approve", "0" * 64, "--operator", "Jo"])
    right = main(["--camera-id", "ward_3", "--approve", digest[1], "--operator", "Jo Ohm"])
    assert (wrong, right) == (1, 0)
    plate = ApprovedPlate.load(plates, "ward_3", StorageKey.open())
    assert (plate.digest, plate.approved_by, plate.shape) == (digest[1], "Jo Ohm", (240, 320))
    assert plate.confirmed.mean() > 0.9
    # What was approved once cannot be approved again: there is no pending plate any more.
    assert main(["--camera-id", "ward_3", "--approve", digest[1], "--operator", "Jo"]) == 1


def test_decision_on_the_terminal_approves_or_leaves_nothing_behind(
    plates: Path, film: Path, tmp_path: Path, keyboard: list[str]
) -> None:
    arguments = ["--camera-id", "ward_3", "--source", str(film), "--operator", "Jo", "--out", str(tmp_path)]
    keyboard += ["what", "a 99", "r"]
    assert main([*arguments, "--seconds", "2"]) == 1
    assert not (tmp_path / "plate.png").exists()
    assert not (plates / "ward_3").exists()
    keyboard += ["a"]
    assert main(arguments) == 0
    assert ApprovedPlate.load(plates, "ward_3", StorageKey.open()).approved_by == "Jo"


def test_another_state_of_the_room_is_stored_beside_the_first(
    plates: Path, film: Path, tmp_path: Path, keyboard: list[str]
) -> None:
    arguments = ["--camera-id", "ward_3", "--source", str(film), "--operator", "Jo", "--out", str(tmp_path)]
    keyboard += ["a"]
    assert main([*arguments, "--state", "night"]) == 0
    assert [
        state.name for state in load_states(plates, "ward_3", StorageKey.open(), EgressInspector().inspect_pixels)
    ] == ["night"]
    assert main([*arguments, "--state", "../night"]) == 1


def test_plate_with_a_subject_in_it_is_not_approved_without_a_decision(plates: Path) -> None:
    made = pending(STAND, SOFA)
    made.save(plates, StorageKey.open())
    arguments = ["--camera-id", "ward_3", "--approve", made.digest, "--operator", "Jo"]
    assert main(arguments) == 1
    assert main([*arguments, "--blank-region", "2"]) == 1
    assert not (plates / "ward_3/plate.json").exists()
    assert main([*arguments, "--blank-region", "1"]) == 0
    assert ApprovedPlate.load(plates, "ward_3", StorageKey.open()).regions[0].decision == "blank"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--camera-id", "ward_3"],
        ["--camera-id", "ward_3", "--source", "0", "--approve", "00"],
        ["--camera-id", "Ward 3", "--source", "0"],
        ["--camera-id", "ward_3", "--source", "0", "--operator", ""],
        ["--camera-id", "ward_3", "--source", "0", "--blank-region", "1"],
        ["--camera-id", "ward_3", "--approve", "00", "--approve-region", "1"],
        ["--camera-id", "ward_3", "--source", "0", "--seconds", "0"],
        ["--source", "0"],
    ],
)
def test_wrong_use_is_told_from_a_plate_that_was_not_approved(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--operator", "Jo", *arguments])
    assert ended.value.code == 2


@pytest.mark.usefixtures("plates")
def test_missing_source_and_missing_pending_plate_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--camera-id", "ward_3", "--source", "no.mp4", "--operator", "Jo"]) == 1
    assert "source no.mp4: no such file" in capsys.readouterr().err
    assert main(["--camera-id", "ward_3", "--approve", "0" * 64, "--operator", "Jo"]) == 1
    assert "first" in capsys.readouterr().err


def test_sheet_holds_no_pixel_that_the_plate_does_not_hold() -> None:
    """The plate here is darker than anything that the sheet draws, and its blank region is hatched, not black."""
    sheet = draw(pending(STAND))
    heading = 76
    inside = sheet[heading + 6 * 30 + 8 : heading + 6 * 100 - 8, 6 * 40 + 8 : 6 * 70 - 8]
    badge = cv2.inRange(inside, (0, 0, 150), (120, 120, 255)) > 0
    assert np.median(inside) == FILL
    assert inside[~cv2.dilate(badge.astype(np.uint8), np.ones((9, 9))).astype(bool)].min() >= FILL


def test_every_region_is_explained_in_words() -> None:
    assert explain(STAND).startswith("followed as a person: is not shown")
    assert "decide" in explain(STAND)
    assert "all of it is shown" in explain(SOFA)
