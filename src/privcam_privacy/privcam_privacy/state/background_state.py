"""What outlives a restart of the edge: the last picture that left, and where nobody may look away from.

Only what had passed the inspection is kept, so the file holds no more than what was sent, and no frame.
"""

import json
from concurrent.futures import Executor, Future
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from privcam_core.images.environment import decode_environment
from privcam_core.storage import private_folder, write_private
from privcam_privacy.background.exclusion_masks import BoolArray
from privcam_privacy.background.snapshot import NS
from privcam_privacy.state.restoration import Remembered

# A picture that changes in every frame is not written in every frame.
WRITE_S = 5.0
_PICTURE, _QUARANTINE, _INDEX = "picture.png", "quarantine.png", "memory.json"


class MemoryRejected(ValueError):
    """A memory on disk cannot be used. The text says what was wrong with which file."""


class PlateMemory:
    """The memory of one camera in `folder`; files of mode 0600. executor: where files are written."""

    def __init__(self, folder: Path, executor: Executor) -> None:
        self._folder = folder
        self._executor = executor
        self._written_ns: int | None = None
        self._written = b""
        self._writing: Future[None] | None = None

    def load(self) -> Remembered | None:
        """Return what was kept, None if nothing was. Raises MemoryRejected if it was changed or cannot be read."""
        index = self._folder / _INDEX
        if not index.exists():
            return None
        try:
            digests = json.loads(index.read_text(encoding="utf-8"))
            picture, validity = decode_environment(self._read(_PICTURE, digests))
            plane = np.frombuffer(self._read(_QUARANTINE, digests), np.uint8)
            quarantined = cv2.imdecode(plane, cv2.IMREAD_GRAYSCALE)
        except (OSError, ValueError, KeyError, TypeError, cv2.error) as error:
            raise MemoryRejected(f"{index}: {error}; the room is learnt anew") from error
        if quarantined is None or quarantined.shape != validity.shape:
            raise MemoryRejected(f"{index}: the two pictures do not go together; the room is learnt anew")
        return Remembered(picture, validity, quarantined > 0)

    def keep(self, png: bytes, quarantined: BoolArray, stamp_ns: int) -> None:
        """Write the picture that left last, and the quarantine (H, W), when they are other than what was written.

        stamp_ns: time of the frame. What a write raised, OSError, is raised by a later call.
        """
        if self._writing is not None and self._writing.done():
            writing, self._writing = self._writing, None
            writing.result()
        if self._written_ns is not None and 0 <= stamp_ns - self._written_ns < WRITE_S * NS:
            return
        self._written_ns = stamp_ns
        plane = cv2.imencode(".png", quarantined.astype(np.uint8) * np.uint8(255))[1].tobytes()
        if png + plane != self._written:
            self._written = png + plane
            self._writing = self._executor.submit(self._write, png, plane)

    def _write(self, png: bytes, plane: bytes) -> None:
        folder = private_folder(self._folder)
        digests = {_PICTURE: sha256(png).hexdigest(), _QUARANTINE: sha256(plane).hexdigest()}
        # Pictures of one write with the index of another do not match its digests, and are refused.
        write_private(folder / _PICTURE, png)
        write_private(folder / _QUARANTINE, plane)
        write_private(folder / _INDEX, json.dumps(digests).encode())

    def _read(self, name: str, digests: dict[str, str]) -> bytes:
        data = (self._folder / name).read_bytes()
        if sha256(data).hexdigest() != digests[name]:
            raise ValueError(f"{name} is not the file that was written")
        return data
