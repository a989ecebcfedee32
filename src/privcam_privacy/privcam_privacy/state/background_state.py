"""Persists the last published background and the quarantine mask of one camera over a restart of the edge.

Only a picture that passed the inspection is stored. So the files hold no more than what was sent, and no frame.
"""

import json
from concurrent.futures import Executor, Future
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from privcam_core.images.environment import decode_environment
from privcam_core.storage import private_folder, write_private
from privcam_core.types.arrays import BoolArray
from privcam_core.types.time import ns_from_seconds
from privcam_privacy.state.restoration import BackgroundState

# Shortest time between two writes: a picture that changes in every frame is not written in every frame.
WRITE_PERIOD_S = 5.0
_PICTURE = "picture.png"
_QUARANTINE = "quarantine.png"
_INDEX = "memory.json"


class StateRejected(ValueError):
    """A stored state cannot be used. The message names the file and what is wrong with it."""


class BackgroundStateStore:
    """The stored state of one camera in `folder`, in files of mode 0600. executor: where files are written."""

    def __init__(self, folder: Path, executor: Executor) -> None:
        self._folder = folder
        self._executor = executor
        self._written_ns: int | None = None
        self._written = b""
        self._writing: Future[None] | None = None

    def load(self) -> BackgroundState | None:
        """Return the stored state, None if there is none. Raises StateRejected if it was changed or is not readable."""
        index = self._folder / _INDEX
        if not index.exists():
            return None
        try:
            digests = json.loads(index.read_text(encoding="utf-8"))
            picture, confirmed = decode_environment(self._read(_PICTURE, digests))
            plane = np.frombuffer(self._read(_QUARANTINE, digests), np.uint8)
            quarantined = cv2.imdecode(plane, cv2.IMREAD_GRAYSCALE)
        except (OSError, ValueError, KeyError, TypeError, cv2.error) as error:
            raise StateRejected(f"{index}: {error}; the background is learnt anew") from error
        if quarantined is None or quarantined.shape != confirmed.shape:
            raise StateRejected(f"{index}: the two pictures differ in size; the background is learnt anew")
        return BackgroundState(picture, confirmed, quarantined > 0)

    def save(self, png: bytes, quarantined: BoolArray, stamp_ns: int) -> None:
        """Write the picture that was published last, and the quarantine (H, W), if either changed since the last write.

        stamp_ns: time of the frame. An OSError of a write is raised by a later call.
        """
        if self._writing is not None and self._writing.done():
            writing, self._writing = self._writing, None
            writing.result()
        if self._written_ns is not None and 0 <= stamp_ns - self._written_ns < ns_from_seconds(WRITE_PERIOD_S):
            return
        self._written_ns = stamp_ns
        plane = cv2.imencode(".png", quarantined.astype(np.uint8) * np.uint8(255))[1].tobytes()
        if png + plane != self._written:
            self._written = png + plane
            self._writing = self._executor.submit(self._write, png, plane)

    def _write(self, png: bytes, plane: bytes) -> None:
        folder = private_folder(self._folder)
        digests = {_PICTURE: sha256(png).hexdigest(), _QUARANTINE: sha256(plane).hexdigest()}
        # Pictures of one write do not match the digests in the index of another, so `load` refuses them.
        write_private(folder / _PICTURE, png)
        write_private(folder / _QUARANTINE, plane)
        write_private(folder / _INDEX, json.dumps(digests).encode())

    def _read(self, name: str, digests: dict[str, str]) -> bytes:
        data = (self._folder / name).read_bytes()
        if sha256(data).hexdigest() != digests[name]:
            raise ValueError(f"{name} is not the file that was written")
        return data
