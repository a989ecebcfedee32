"""Inspects an approved plate again before it is used: what was approved in error or in older days may show a person."""

from collections.abc import Callable, Sequence

import numpy as np

from privcam_core.detection.inspection import SensitiveDetection
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.boxes import pixel_slices
from privcam_privacy.plates.approved import ApprovedPlate
from privcam_privacy.plates.commissioning import INSIDE_FRACTION, MIN_CONFIRMED_FRACTION
from privcam_privacy.plates.plate_records import PlateRejected

# Returns the persons and faces in a picture (H, W, 3) with its confirmed mask (H, W).
FindSensitive = Callable[[Image, BoolArray], Sequence[SensitiveDetection]]


def inspect_plate(plate: ApprovedPlate, find: FindSensitive) -> None:
    """Raise PlateRejected if the inspection finds a person or a face in what the plate shows.

    What lies in a region that the operator declared to be a thing does not count, nor does the outline of a region that
    is blank: detectors take it for a person. Both as when the plate was made.
    """
    height, width = plate.shape
    declared = np.zeros(plate.shape, np.bool_)
    for region in plate.regions:
        if region.decision == "shown":
            declared[pixel_slices(region.box, height, width)] = True
    for found in find(plate.picture, plate.confirmed):
        where = pixel_slices(found.box, height, width)
        if plate.confirmed[where].mean() < MIN_CONFIRMED_FRACTION or declared[where].mean() >= INSIDE_FRACTION:
            continue
        x0, y0, x1, y1 = (round(side) for side in found.box)
        raise PlateRejected(
            f"the plate of {plate.camera_id} that {plate.approved_by} approved shows a {found.kind} (score "
            f"{found.score:.2f}) in x {x0} to {x1}, y {y0} to {y1}; it is not used. Look at it, empty the room, "
            f"and run `./privcam commission --camera-id {plate.camera_id} --source SOURCE` on this machine. "
            "If it is a thing, approve its region by number."
        )
