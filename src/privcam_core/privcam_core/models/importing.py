"""Makes an ONNX model from its source files: verifies them, imports them, checks the result. Opens no connection."""

from pathlib import Path
from tempfile import TemporaryDirectory

from privcam_core.models.cache import require_hash
from privcam_core.models.errors import ModelError
from privcam_core.models.manifest import ModelEntry
from privcam_core.models.reference import check, synthetic_input
from privcam_core.models.session import Session

_ADVICE = "It is not the file that privcam was tested with. Fetch it again; if that does not help, do not use it."


def import_model(entry: ModelEntry, contents: dict[str, bytes]) -> bytes:
    """Return the ONNX bytes of a model. contents: of its source files by path; they are verified first."""
    for file in entry.files:
        require_hash(contents[file.path], file.sha256, f"model {entry.name}: {file.path} of {entry.package}", _ADVICE)
    # Only needed here: a machine that is given a filled cache runs without these two packages.
    try:
        from privcam_core.models.importers.sizes import free_axes
        from privcam_core.models.importers.tfjs import import_tfjs
        from privcam_core.models.importers.tflite import import_tflite
    except ImportError as error:
        raise ModelError(f"importing a model needs the Python packages onnx and tflite: {error}") from error
    with TemporaryDirectory(prefix="privcam-import-") as name:
        for file in entry.files:
            (Path(name) / Path(file.path).name).write_bytes(contents[file.path])
        main = Path(name) / Path(entry.files[0].path).name
        importer = import_tfjs if entry.importer == "tfjs" else import_tflite
        model = importer(main, entry.name, list(entry.outputs))
    if entry.free_axes:
        model = free_axes(model, dict(entry.free_axes))
    # Deterministic, so that the same import has the same SHA-256.
    return bytes(model.SerializeToString(deterministic=True))


def check_model(entry: ModelEntry, model: bytes) -> None:
    """Run an imported model on the synthetic input. Raises ModelError where its outputs are not the recorded ones."""
    check(entry, Session(entry, model, providers=["cpu"]).run(synthetic_input(entry)))
