"""A pending plate waits for the operator: the picture that would be sent, and the regions to review.

A pending plate contains no pixel of a region that looked like a person. Such pixels are stored only after the operator
has decided that the region is no person.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from privcam_core.images.environment import decode_environment, picture_digest
from privcam_core.storage import private_folder, write_private
from privcam_core.storage_key import StorageKey
from privcam_core.types.arrays import Image
from privcam_core.types.omega import MAX_PNG_BYTES
from privcam_privacy.plates.approved import ApprovedPlate
from privcam_privacy.plates.plate_records import (
    PlateRejected,
    Region,
    check_seal,
    read_bytes,
    read_record,
    read_regions,
    write_record,
)

FOLDER = "candidate"
PICTURE = "plate.png"
LABELS = "regions.png"
RECORD = "candidate.json"
_PURPOSE = "pending plate"
_KEYS: dict[str, type] = {
    "camera_id": str,
    "digest": str,
    "regions_digest": str,
    "taken_ns": int,
    "software": str,
    "settings": dict,
    "regions": list,
}


@dataclass(frozen=True, eq=False)
class PendingPlate:
    """png: the environment PNG that would be approved. labels: (H, W) uint8, the number of the region, or 0."""

    png: bytes
    labels: Image
    regions: Sequence[Region]
    camera_id: str
    taken_ns: int
    software: str
    settings: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Digest of the picture, in hexadecimal digits: the operator approves this digest."""
        return picture_digest(*decode_environment(self.png)).hex()

    def undecided(self, blank: Collection[int] = ()) -> list[Region]:
        """Return the regions that an operator has to decide about, if the regions in `blank` are to stay blank."""
        return [region for region in self.regions if region.needs_decision and region.number not in blank]

    def approve(self, operator: str, now_ns: int, blank: Collection[int] = ()) -> ApprovedPlate:
        """Return the approved plate. blank: regions that the operator wants to stay blank.

        Raises ValueError for a region that does not exist, that is not blank, or that still needs a decision.
        """
        regions = {region.number: region for region in self.regions}
        for number in blank:
            if number not in regions:
                raise ValueError(f"region {number}: there is none; there are {', '.join(map(str, regions)) or 'none'}")
            if regions[number].confirmed_fraction:
                raise ValueError(f"region {number}: is shown in this plate, so it cannot stay blank; reject the plate")
            regions[number] = replace(regions[number], decision="blank")
        return ApprovedPlate(
            self.png,
            self.camera_id,
            self.taken_ns,
            operator,
            now_ns,
            self.software,
            self.settings,
            tuple(regions.values()),
        )

    def save(self, folder: Path, key: StorageKey) -> Path:
        """Store the plate in <folder>/<camera_id>/candidate, sealed, and return that folder. `load` reads it again."""
        private_folder(folder / self.camera_id)
        own = private_folder(folder / self.camera_id / FOLDER)
        labels = bytes(cv2.imencode(".png", self.labels)[1])
        record = {
            "camera_id": self.camera_id,
            "digest": self.digest,
            "regions_digest": sha256(labels).hexdigest(),
            "taken_ns": self.taken_ns,
            "software": self.software,
            "settings": dict(self.settings),
            "regions": [region.to_json() for region in self.regions],
        }
        write_private(own / PICTURE, self.png)
        write_private(own / LABELS, labels)
        write_private(own / RECORD, write_record(record, key, _PURPOSE, self.png, labels))
        return own

    @classmethod
    def load(cls, folder: Path, camera_id: str, key: StorageKey) -> "PendingPlate":
        """Read the pending plate of a camera. Raises PlateRejected where there is none, or where it was changed."""
        own = folder / camera_id / FOLDER
        advice = f"Run `./privcam commission --camera-id {camera_id} --source SOURCE` first."
        values = read_record(own / RECORD, _KEYS, advice)
        png, labels = (read_bytes(own / name, MAX_PNG_BYTES, advice) for name in (PICTURE, LABELS))
        check_seal(own / RECORD, values, key, _PURPOSE, [png, labels], advice)
        digests = values.pop("digest"), values.pop("regions_digest")
        regions = read_regions(own / RECORD, values.pop("regions"), advice)
        numbers = cv2.imdecode(np.frombuffer(labels, np.uint8), cv2.IMREAD_UNCHANGED)
        try:
            plate, confirmed = decode_environment(png)
        except ValueError as error:
            raise PlateRejected(f"{own / PICTURE}: was changed after it was made: {error}. {advice}") from error
        found = picture_digest(plate, confirmed).hex(), sha256(labels).hexdigest()
        if found != digests or values["camera_id"] != camera_id:
            raise PlateRejected(f"{own}: was changed after it was made. {advice}")
        if numbers is None or numbers.shape != confirmed.shape or numbers.dtype != np.uint8:
            raise PlateRejected(f"{own / LABELS}: does not go with the plate. {advice}")
        return cls(png, numbers.astype(np.uint8, copy=False), regions, **values)

    def remove(self, folder: Path) -> None:
        """Delete the stored plate."""
        for name in (PICTURE, LABELS, RECORD):
            (folder / self.camera_id / FOLDER / name).unlink(missing_ok=True)
