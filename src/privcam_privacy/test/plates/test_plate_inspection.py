"""An approved plate is inspected again before it is used."""

import numpy as np
import pytest

from privcam_core.detection.inspection import EgressInspector, SensitiveDetection
from privcam_core.images.environment import encode_environment
from privcam_privacy.plates.approved import ApprovedPlate
from privcam_privacy.plates.plate_inspection import inspect_plate
from privcam_privacy.plates.plate_records import PlateRejected, Reason, Region

BODY = (40.0, 30.0, 70.0, 100.0)


def plate(*regions: Region, blank: tuple[int, int, int, int] | None = None) -> ApprovedPlate:
    confirmed = np.ones((120, 160), np.bool_)
    if blank is not None:
        confirmed[blank[1] : blank[3], blank[0] : blank[2]] = False
    png = encode_environment(np.full((120, 160, 3), 90, np.uint8), confirmed)
    return ApprovedPlate(png, "ward_3", 1, "Jo", 2, "test", {}, regions)


def region(decision: str, box: tuple[int, int, int, int] = (36, 26, 74, 104)) -> Region:
    return Region(1, Reason.INSPECTION, box, 0.1, 1.0, decision)


def find(_picture: np.ndarray, _confirmed: np.ndarray) -> list[SensitiveDetection]:
    return [SensitiveDetection("person", BODY, 0.41, 1.0)]


def test_plate_with_a_person_in_it_is_refused_with_the_place_and_the_remedy() -> None:
    with pytest.raises(
        PlateRejected, match=r"Jo approved shows a person \(score 0\.41\) in x 40 to 70, y 30 to 100.*comm"
    ):
        inspect_plate(plate(), find)


def test_thing_that_the_operator_declared_to_be_no_person_is_no_reason() -> None:
    inspect_plate(plate(region("shown")), find)


@pytest.mark.parametrize("other", [region(""), region("blank"), region("shown", (36, 26, 74, 60))])
def test_region_that_was_not_declared_or_covers_only_a_part_is_no_excuse(other: Region) -> None:
    with pytest.raises(PlateRejected, match="shows a person"):
        inspect_plate(plate(other), find)


def test_outline_of_a_blank_region_is_no_person() -> None:
    inspect_plate(plate(blank=(44, 30, 66, 100)), find)


def test_the_real_inspection_passes_an_even_wall() -> None:
    inspect_plate(plate(), EgressInspector().inspect_pixels)
