"""The folder of imported models: each an ONNX file with a record of its SHA-256 and of its source files."""

import json
import os
import tempfile
from hashlib import sha256
from pathlib import Path

from privcam_core.models.errors import ModelError
from privcam_core.models.manifest import ModelEntry

# Goes up when an importer changes what it writes, so that cached models are made anew.
IMPORT_VERSION = 1


def require_hash(content: bytes, expected: str, what: str, advice: str) -> None:
    """Raise ModelError unless the SHA-256 of `content` is `expected`."""
    found = sha256(content).hexdigest()
    if found != expected:
        raise ModelError(f"{what}: wrong SHA-256\n  expected {expected}\n  found    {found}\n{advice}")


def read_model(entry: ModelEntry, folder: Path) -> bytes:
    """Return the verified bytes of the ONNX file of a model.

    Raises: ModelError where it is missing, was made from other files, or is not the file that was recorded.
    """
    if entry.package is None:
        own = Path(entry.files[0].path)
        if not own.is_file():
            raise ModelError(f"model {entry.name}: {own} does not exist. Correct its path in the manifest.")
        content = own.read_bytes()
        require_hash(content, entry.files[0].sha256, str(own), "Correct the file, or its sha256 in the manifest.")
        return content
    advice = f"Run: ./privcam models {entry.name}"
    path, record = _paths(entry, folder)
    try:
        content, recorded = path.read_bytes(), json.loads(record.read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"model {entry.name} is not in {folder} ({error}). {advice}") from error
    if recorded.get("made_from") != _fingerprint(entry):
        raise ModelError(f"model {entry.name}: {path} was made for another version of privcam. {advice}")
    require_hash(content, str(recorded.get("sha256")), str(path), f"The file is damaged or was changed. {advice}")
    return content


def write_model(entry: ModelEntry, content: bytes, folder: Path) -> None:
    """Keep the ONNX file of a model with its record. Each file is written atomically."""
    path, record = _paths(entry, folder)
    _replace(path, content)
    contents = {"sha256": sha256(content).hexdigest(), "made_from": _fingerprint(entry)}
    _replace(record, json.dumps(contents, indent=1).encode())


def _paths(entry: ModelEntry, folder: Path) -> tuple[Path, Path]:
    return folder / f"{entry.name}.onnx", folder / f"{entry.name}.json"


def _fingerprint(entry: ModelEntry) -> str:
    inputs = [IMPORT_VERSION, [file.sha256 for file in entry.files], list(entry.outputs), dict(entry.free_axes)]
    return sha256(json.dumps(inputs).encode()).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # A temporary file is private to its owner; models may be prepared by one user and run by another.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
