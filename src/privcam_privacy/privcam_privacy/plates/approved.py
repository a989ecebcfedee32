"""The plate of mode `locked`: a picture of the empty room that an operator approved, stored with its digest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from privcam_core.images.environment import decode_environment, picture_digest
from privcam_core.storage import private_folder, write_private
from privcam_core.storage_key import StorageKey
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.identifiers import camera_id_error, is_camera_id, require_camera_id
from privcam_core.types.omega import MAX_PNG_BYTES
from privcam_privacy.plates.plate_records import (
    PlateRejected,
    Region,
    check_seal,
    read_bytes,
    read_record,
    read_regions,
    write_record,
)

PICTURE = "plate.png"
RECORD = "plate.json"
_PURPOSE = "approved plate"
# Maximum length of the operator's name, which appears in reports: enough for a name and a department.
MAX_NAME = 128
_KEYS: dict[str, type] = {
    "camera_id": str,
    "digest": str,
    "width": int,
    "height": int,
    "taken_ns": int,
    "approved_by": str,
    "approved_ns": int,
    "software": str,
    "settings": dict,
    "regions": list,
}


@dataclass(frozen=True, eq=False)
class ApprovedPlate:
    """An approved plate. It exists only complete, approved and of one camera: every constructor checks that.

    png: exactly the bytes that were approved, an environment PNG; the picture is read from them and nowhere else.
    taken_ns, approved_ns: ns since the epoch, UTC. settings: how it was taken. regions: the regions that the operator
    reviewed. software: the version that took it.
    """

    png: bytes
    camera_id: str
    taken_ns: int
    approved_by: str
    approved_ns: int
    software: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    regions: Sequence[Region] = ()

    def __post_init__(self) -> None:
        require_camera_id(self.camera_id)
        name = self.approved_by
        if not (0 < len(name) <= MAX_NAME and name.isprintable() and name.strip()):
            raise ValueError(f"approved_by: {name[:80]!r} is not a name of 1 to {MAX_NAME} printable characters")
        if not 0 < self.taken_ns <= self.approved_ns:
            raise ValueError(f"approved_ns: {self.approved_ns} is before the plate was taken, {self.taken_ns}")
        undecided = [str(region.number) for region in self.regions if region.needs_decision]
        if undecided:
            raise ValueError(f"regions: nobody decided about region {', '.join(undecided)}")
        if not self.confirmed.any():
            raise ValueError("png: shows nothing at all")

    @cached_property
    def _planes(self) -> tuple[Image, BoolArray]:
        picture, confirmed = decode_environment(self.png)
        picture.flags.writeable = confirmed.flags.writeable = False
        return picture, confirmed

    @property
    def picture(self) -> Image:
        """(H, W, 3) uint8 BGR, FILL where not confirmed. Read-only."""
        return self._planes[0]

    @property
    def confirmed(self) -> BoolArray:
        """(H, W), True where the plate has background. Read-only."""
        return self._planes[1]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.confirmed.shape[0], self.confirmed.shape[1]

    @property
    def digest(self) -> str:
        """Digest of the picture, in hexadecimal digits: every Ω of mode `locked` carries it."""
        return picture_digest(*self._planes).hex()

    def save(self, folder: Path, key: StorageKey) -> Path:
        """Store the plate as <folder>/<camera_id>/plate.png and plate.json, sealed, and return that folder.

        The two files replace the old ones one after the other. In between, the seal does not match and `load` refuses
        the plate.
        """
        own = private_folder(folder / self.camera_id)
        record = {
            "camera_id": self.camera_id,
            "digest": self.digest,
            "width": self.shape[1],
            "height": self.shape[0],
            "taken_ns": self.taken_ns,
            "approved_by": self.approved_by,
            "approved_ns": self.approved_ns,
            "software": self.software,
            "settings": dict(self.settings),
            "regions": [region.to_json() for region in self.regions],
        }
        write_private(own / PICTURE, self.png)
        write_private(own / RECORD, write_record(record, key, _PURPOSE, self.png))
        return own

    @classmethod
    def load(cls, folder: Path, camera_id: str, key: StorageKey) -> "ApprovedPlate":
        """Read the plate of a camera.

        Raises PlateRejected where there is none, or where it was changed, is not approved, or is of another camera or
        machine.
        """
        if not is_camera_id(camera_id):
            raise PlateRejected(f"camera_id {camera_id_error(camera_id)}; correct the setting")
        advice = f"Run `./privcam commission --camera-id {camera_id} --source SOURCE` on this machine."
        own = folder / camera_id
        if not (own / RECORD).exists():
            raise PlateRejected(f"{own}: holds no approved plate of camera {camera_id}. {advice}")
        values = read_record(own / RECORD, _KEYS, advice)
        if values["camera_id"] != camera_id:
            raise PlateRejected(f"{own / RECORD}: is of camera {values['camera_id'][:80]!r}, not {camera_id}. {advice}")
        png = read_bytes(own / PICTURE, MAX_PNG_BYTES, advice)
        check_seal(own / RECORD, values, key, _PURPOSE, [png], advice)
        digest, size = values.pop("digest"), (values.pop("height"), values.pop("width"))
        regions = read_regions(own / RECORD, values.pop("regions"), advice)
        try:
            plate = cls(png, regions=regions, **values)
        except ValueError as error:
            raise PlateRejected(f"{own}: {error}. {advice}") from error
        if plate.digest != digest:
            raise PlateRejected(f"{own / PICTURE}: is not the picture that was approved (digest differs). {advice}")
        if plate.shape != size:
            raise PlateRejected(f"{own / RECORD}: gives {size[1]}x{size[0]} px, the picture has another size. {advice}")
        return plate
