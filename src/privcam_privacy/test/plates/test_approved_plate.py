"""An approved plate is used exactly as it was approved, or refused."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from privcam_core.images.environment import FILL, encode_environment
from privcam_core.storage_key import StorageKey
from privcam_privacy.plates.approved import ApprovedPlate, PlateRejected
from privcam_privacy.plates.pending import PendingPlate
from privcam_privacy.plates.plate_records import SCHEMA, Reason, Region, write_record

KEY = StorageKey(bytes(range(32)))
NOW = 1_700_000_000 * 10**9
DOOR = Region(1, Reason.UNCONFIRMED, (0, 0, 8, 8), 0.1, 0.0)
STAND = Region(2, Reason.PERSON, (8, 8, 16, 20), 0.05, 0.0)


def png() -> bytes:
    picture = np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)
    confirmed = np.ones((24, 32), np.bool_)
    confirmed[:8, :8] = False
    return encode_environment(picture, confirmed)


def plate(**changes: Any) -> ApprovedPlate:
    values = {
        "png": png(),
        "camera_id": "ward_3",
        "taken_ns": NOW,
        "approved_by": "Ines Ohm",
        "approved_ns": NOW + 60 * 10**9,
        "software": "privcam 0.1.0",
        "settings": {"seconds": 20.0},
        "regions": (DOOR,),
    }
    return ApprovedPlate(**{**values, **changes})


def pending(*regions: Region) -> PendingPlate:
    labels = np.zeros((24, 32), np.uint8)
    for region in regions:
        x0, y0, x1, y1 = region.box
        labels[y0:y1, x0:x1] = region.number
    return PendingPlate(png(), labels, regions, "ward_3", NOW, "privcam 0.1.0", {"seconds": 20.0})


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change a record as somebody would who has the key: the seal is right again where there is still one."""
    path = folder / "ward_3/plate.json"
    values = json.loads(path.read_text())
    edit(values)
    if "seal" in values and values["schema"] == SCHEMA:
        del values["schema"], values["seal"]
        path.write_bytes(write_record(values, KEY, "approved plate", (path.parent / "plate.png").read_bytes()))
    else:
        path.write_text(json.dumps(values))


def test_stored_plate_comes_back_byte_for_byte_and_is_private(tmp_path: Path) -> None:
    saved = plate()
    own = saved.save(tmp_path, KEY)
    loaded = ApprovedPlate.load(tmp_path, "ward_3", KEY)
    assert (loaded.png, loaded.digest, loaded.approved_by) == (saved.png, saved.digest, "Ines Ohm")
    assert (loaded.settings, list(loaded.regions)) == ({"seconds": 20.0}, [DOOR])
    assert (loaded.picture[~loaded.confirmed] == FILL).all()
    assert own == tmp_path / "ward_3"
    assert own.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in own.iterdir()} == {
        "plate.json": 0o600,
        "plate.png": 0o600,
    }


def test_picture_of_a_plate_cannot_be_changed_in_memory() -> None:
    with pytest.raises(ValueError, match="read-only"):
        plate().picture[0, 0] = 0


def test_camera_without_a_plate_is_told_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(PlateRejected, match=r"no approved plate of camera ward_3\. Run `./privcam commission"):
        ApprovedPlate.load(tmp_path, "ward_3", KEY)


def test_changed_picture_is_refused(tmp_path: Path) -> None:
    own = plate().save(tmp_path, KEY)
    other = encode_environment(np.zeros((24, 32, 3), np.uint8), np.ones((24, 32), np.bool_))
    (own / "plate.png").write_bytes(other)
    with pytest.raises(PlateRejected, match="the seal is wrong"):
        ApprovedPlate.load(tmp_path, "ward_3", KEY)
    change(tmp_path, lambda _: None)
    with pytest.raises(PlateRejected, match="digest differs"):
        ApprovedPlate.load(tmp_path, "ward_3", KEY)


def test_plate_of_another_camera_is_refused(tmp_path: Path) -> None:
    plate().save(tmp_path, KEY).rename(tmp_path / "ward_4")
    with pytest.raises(PlateRejected, match="is of camera 'ward_3', not ward_4"):
        ApprovedPlate.load(tmp_path, "ward_4", KEY)


@pytest.mark.parametrize(
    ("name", "value"),
    [("approved_by", "Somebody Else"), ("approved_ns", NOW + 1), ("regions", []), ("seal", "00" * 32), ("seal", "ä")],
)
def test_record_that_was_changed_by_somebody_without_the_key_is_refused(
    tmp_path: Path, name: str, value: object
) -> None:
    record = plate().save(tmp_path, KEY) / "plate.json"
    values = json.loads(record.read_text())
    record.write_text(json.dumps({**values, name: value}))
    with pytest.raises(PlateRejected, match=r"plate\.json: the seal is wrong.*Run `./privcam commission"):
        ApprovedPlate.load(tmp_path, "ward_3", KEY)


def test_plate_of_another_machine_and_a_seal_of_a_pending_plate_are_refused(tmp_path: Path) -> None:
    own = plate().save(tmp_path, KEY)
    with pytest.raises(PlateRejected, match="made on another machine"):
        ApprovedPlate.load(tmp_path, "ward_3", StorageKey(bytes(32)))
    values = json.loads((own / "plate.json").read_text())
    del values["schema"], values["seal"]
    (own / "plate.json").write_bytes(write_record(values, KEY, "pending plate", (own / "plate.png").read_bytes()))
    with pytest.raises(PlateRejected, match="the seal is wrong"):
        ApprovedPlate.load(tmp_path, "ward_3", KEY)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda v: v.update(approved_by=""), "approved_by"),
        (lambda v: v.pop("approved_by"), "approved_by is missing"),
        (lambda v: v.update(approved_ns=1), "before the plate was taken"),
        (lambda v: v.update(approved_ns=True), "needs int"),
        (lambda v: v.update(note="x"), "'note' is not known"),
        (lambda v: v.update(width=33), "another size"),
        (lambda v: v.update(schema=1), "schema is 1, this version reads 2"),
        (lambda v: v.pop("seal"), "seal is missing"),
        (lambda v: v["regions"].append(STAND.to_json()), "nobody decided about region 2"),
        (lambda v: v["regions"].append({"number": 1}), "a region needs the keys"),
        (lambda v: v["regions"][0].update(reason="because"), "reason 'because'"),
        (lambda v: v["regions"][0].update(share=float("nan")), "not in"),
    ],
)
def test_record_that_is_not_one_of_an_approval_is_refused(
    tmp_path: Path, edit: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    plate().save(tmp_path, KEY)
    change(tmp_path, edit)
    with pytest.raises(PlateRejected, match=complaint):
        ApprovedPlate.load(tmp_path, "ward_3", KEY)


def test_broken_record_is_refused(tmp_path: Path) -> None:
    own = plate().save(tmp_path, KEY)
    (own / "plate.json").write_text("{")
    with pytest.raises(PlateRejected, match="not a JSON record"):
        ApprovedPlate.load(tmp_path, "ward_3", KEY)


def test_plate_that_others_may_write_is_refused(tmp_path: Path) -> None:
    own = plate().save(tmp_path, KEY)
    (own / "plate.png").chmod(0o666)
    with pytest.raises(PlateRejected, match="nobody else may write"):
        ApprovedPlate.load(tmp_path, "ward_3", KEY)


@pytest.mark.parametrize("name", ["plate.png", "plate.json"])
@pytest.mark.parametrize(
    "put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir], ids=["pipe", "link", "folder"]
)
def test_what_lies_in_the_place_of_a_plate_is_refused_and_never_waited_for(
    tmp_path: Path, name: str, put: Callable[[Path], object]
) -> None:
    own = plate().save(tmp_path, KEY)
    (own / name).unlink()
    put(own / name)
    with pytest.raises(PlateRejected, match=name):
        ApprovedPlate.load(tmp_path, "ward_3", KEY)


def test_name_of_a_camera_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(PlateRejected, match="is not 1 to 64"):
        ApprovedPlate.load(tmp_path, "../ward_3", KEY)


def test_plate_that_shows_nothing_is_no_plate() -> None:
    empty = encode_environment(np.zeros((24, 32, 3), np.uint8), np.zeros((24, 32), np.bool_))
    with pytest.raises(ValueError, match="shows nothing"):
        plate(png=empty)


def test_pending_plate_is_never_loaded_as_a_plate_and_comes_back_as_it_was(tmp_path: Path) -> None:
    made = pending(DOOR, STAND)
    made.save(tmp_path, KEY)
    with pytest.raises(PlateRejected, match="no approved plate"):
        ApprovedPlate.load(tmp_path, "ward_3", KEY)
    again = PendingPlate.load(tmp_path, "ward_3", KEY)
    assert (again.png, list(again.regions)) == (made.png, list(made.regions))
    assert (again.labels == made.labels).all()


@pytest.mark.parametrize("name", ["plate.png", "regions.png"])
def test_changed_pending_plate_is_refused(tmp_path: Path, name: str) -> None:
    path = pending(DOOR).save(tmp_path, KEY) / name
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(PlateRejected, match="the seal is wrong"):
        PendingPlate.load(tmp_path, "ward_3", KEY)


def test_region_with_a_tracked_person_needs_a_decision() -> None:
    with pytest.raises(ValueError, match="nobody decided about region 2"):
        pending(DOOR, STAND).approve("Ines Ohm", NOW)
    approved = pending(DOOR, STAND).approve("Ines Ohm", NOW, blank=[2])
    assert [region.decision for region in approved.regions] == ["", "blank"]


def test_only_a_region_that_is_blank_can_be_kept_blank() -> None:
    visible = Region(3, Reason.LOW_CONFIDENCE, (8, 8, 16, 20), 0.1, 1.0)
    with pytest.raises(ValueError, match="region 3: is shown"):
        pending(visible).approve("Ines Ohm", NOW, blank=[3])
    with pytest.raises(ValueError, match="region 9: there is none"):
        pending(visible).approve("Ines Ohm", NOW, blank=[9])
