"""Persists the last published background and the presences of one camera over a restart of the edge.

The file holds no more than what was sent before (a picture that passed the inspection), and where a person may be. It
is sealed with the key of this machine, and nothing of a file without the right seal is read. Files are numbered, and
the number of the newest one lies beside the key: an older one that is put back is refused. It is replaced as a whole:
after a kill at any moment it is the file of before or the new one. Presences are stored with a margin. A body that
moves within the margin needs no new file; a presence that grows beyond it is written at once.
"""

import io
import json
import os
import time
import zipfile
from concurrent.futures import Executor, Future
from pathlib import Path

import cv2
import numpy as np

from privcam_core.images.environment import decode_environment
from privcam_core.storage import private_folder, read_private, write_private
from privcam_core.storage_key import SEAL_BYTES, StorageKey
from privcam_core.types.arrays import BoolArray
from privcam_core.types.omega import MAX_PNG_BYTES
from privcam_core.types.time import ns_from_seconds
from privcam_privacy.state.restoration import BackgroundState

# A new picture, and presences that shrink, are written at most this often.
WRITE_PERIOD_S = 5.0
# A background that was confirmed longer ago is not used any more.
MAX_AGE_S = 7 * 24 * 3600.0
# Presences are stored with a margin of this fraction of the picture's height.
_MARGIN_FRACTION = 0.05
FILE = "state.zip"
_HEADER = "header.json"
_PICTURE = "environment.png"
_PRESENCES = "presences.png"
_VERSION = 3
_PURPOSE = "background state"
# Two pictures and a header: a longer file is not one of ours.
_MAX_BYTES = 2 * MAX_PNG_BYTES + 65536


class StateRejected(ValueError):
    """A stored state cannot be used. The message names the file and what is wrong with it."""


class BackgroundStateStore:
    """The stored state of one camera in `folder`, in a file of mode 0600: the seal, and a ZIP archive after it.

    key: of the seal. executor: where the file is written. It should do nothing else, so that nothing delays a write.
    """

    def __init__(self, folder: Path, camera_id: str, key: StorageKey, executor: Executor) -> None:
        self._path = folder / FILE
        self._camera_id = camera_id
        self._key = key
        self._executor = executor
        self._written_ns: int | None = None
        self._written = b""
        self._stored: BoolArray = np.zeros((0, 0), np.bool_)
        self._writing: Future[None] | None = None

    def load(self) -> BackgroundState | None:
        """Return the stored state, None if there was never one.

        Of one that is too old, or from the future, nothing counts but the presences. Raises StateRejected if the file
        was changed, is not the newest one or gone, is of another camera or machine, or cannot be read.
        """
        try:
            if not os.path.lexists(self._path):
                if self._key.newest(_PURPOSE, self._camera_id) == 0:
                    return None
                raise ValueError("is gone, although it was written")
            with zipfile.ZipFile(io.BytesIO(self._read())) as archive:
                header, png, plane = (archive.read(name) for name in (_HEADER, _PICTURE, _PRESENCES))
            values = json.loads(header)
            if values["version"] != _VERSION:
                raise ValueError(f"has version {values['version']}, this software reads {_VERSION}")
            number = int(values["number"])
            if not self._key.is_newest(_PURPOSE, self._camera_id, number):
                raise ValueError(f"has number {number} and is not the newest: an old file was put back")
            self._key.note_newest(_PURPOSE, self._camera_id, number)
            is_recent = 0 <= time.time_ns() - int(values["written_ns"]) <= ns_from_seconds(MAX_AGE_S)
            picture, confirmed = decode_environment(png)
            presences = cv2.imdecode(np.frombuffer(plane, np.uint8), cv2.IMREAD_GRAYSCALE)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, cv2.error) as error:
            raise StateRejected(f"{self._path}: {error}; {self._remedy}") from error
        if presences is None or presences.shape != confirmed.shape:
            raise StateRejected(f"{self._path}: its two pictures differ in size; {self._remedy}")
        return BackgroundState(picture, confirmed & is_recent, presences > 0)

    @property
    def _remedy(self) -> str:
        number = self._key.number_file(_PURPOSE, self._camera_id)
        files = f"{self._path}" if number is None else f"{self._path} and {number}"
        return f"a person may be anywhere; make sure that nobody is in the picture, delete {files}, and start again"

    def _read(self) -> bytes:
        """Return the archive. Raises ValueError if the seal is not the one of these bytes, camera and machine."""
        data = read_private(self._path, _MAX_BYTES + 1)
        seal, archive = data[:SEAL_BYTES], data[SEAL_BYTES:]
        if len(data) > _MAX_BYTES or not self._key.check(seal, _PURPOSE, self._camera_id, archive):
            raise ValueError("is not sealed by this machine for this camera, or was changed after it was written")
        return archive

    def save(self, png: bytes, presences: BoolArray, stamp_ns: int) -> None:
        """Write the picture that was published last, and where a person may be (H, W), if the file needs it.

        stamp_ns: time of the frame. An OSError of a write is raised by a later call.
        """
        if self._writing is not None:
            if not self._writing.done():
                return
            writing, self._writing = self._writing, None
            writing.result()
        grown = self._stored.shape != presences.shape or bool((presences & ~self._stored).any())
        due = self._written_ns is None or not 0 <= stamp_ns - self._written_ns < ns_from_seconds(WRITE_PERIOD_S)
        if not (grown or due):
            return
        self._written_ns = stamp_ns
        margin = max(1, round(_MARGIN_FRACTION * presences.shape[0]))
        stored = cv2.dilate(presences.astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8))
        plane = cv2.imencode(".png", stored * np.uint8(255))[1].tobytes()
        if png + plane == self._written:
            return
        self._written, self._stored = png + plane, stored > 0
        self._writing = self._executor.submit(self._write, png, plane)

    def _write(self, png: bytes, plane: bytes) -> None:
        private_folder(self._path.parent)
        number = self._key.newest(_PURPOSE, self._camera_id) + 1
        header = {"version": _VERSION, "number": number, "written_ns": time.time_ns()}
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr(_HEADER, json.dumps(header))
            archive.writestr(_PICTURE, png)
            archive.writestr(_PRESENCES, plane)
        sealed = self._key.seal(_PURPOSE, self._camera_id, data.getvalue())
        write_private(self._path, sealed + data.getvalue())
        # After the file: a crash in between costs no state, which is then one ahead of its number.
        self._key.note_newest(_PURPOSE, self._camera_id, number)
