"""Loads networks that are part of a package: small ONNX files, each beside a JSON file with its SHA-256."""

from hashlib import sha256
from pathlib import Path

from privcam_core.models.network_description import WrongWeights
from privcam_core.models.runtime import onnxruntime


def session(file: Path, digest: str, *, threads: int = 1) -> "onnxruntime.InferenceSession":
    """Return a session on the CPU. digest: SHA-256 of the file, hex. Raises WrongWeights."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WrongWeights(f"{file}: {error}; install the package again") from error
    if sha256(content).hexdigest() != digest:
        raise WrongWeights(f"{file}: is not the file that is described beside it; install the package again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Waiting threads would otherwise keep the cores busy that other nodes and cameras need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
