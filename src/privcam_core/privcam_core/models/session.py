"""Loads and runs a model; only this module depends on the runtime and the processor."""

import logging
import os
import threading
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from privcam_core.models.cache import read_model
from privcam_core.models.errors import ModelError
from privcam_core.models.manifest import ModelEntry, cache_folder, load_manifest
from privcam_core.models.network_time import counted
from privcam_core.models.providers import PROVIDERS, runtime_names, wanted_providers
from privcam_core.models.runtime import onnxruntime

Array = npt.NDArray[Any]

_LOG = logging.getLogger(__name__)

_ONLY_ERRORS = 3
# Every network runs so often for one result. More than once shows how a graph behaves on a slower machine.
_REPEATS = max(1, int(os.environ.get("PRIVCAM_NETWORK_REPEATS", "1")))


class Session:
    """A loaded model. Safe to run from several threads. provider: what it runs on, a name of `PROVIDERS`."""

    def __init__(self, entry: ModelEntry, content: bytes, threads: int = 1, providers: Sequence[str] | None = None):
        """Load verified ONNX bytes; `load` does this by name.

        threads: processor cores for one run. providers: names of `PROVIDERS` in the order of preference; those of
        PRIVCAM_PROVIDER if None. What is not there is left out with a warning; the CPU is always there.

        Raises: ModelError for bytes that the runtime does not take. ValueError for an unknown provider or threads < 1.
        """
        if threads < 1:
            raise ValueError(f"threads: {threads} is less than 1")
        self.entry = entry
        wanted = runtime_names(entry.name, wanted_providers(providers))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ONLY_ERRORS
        # Waiting threads would otherwise keep the cores busy that the other models of this machine need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=wanted)
        except Exception as error:  # the runtime's own exception types are not public
            raise ModelError(f"model {entry.name}: ONNX Runtime does not take it: {error}") from error
        if self._session.get_providers()[0] != wanted[0]:
            _LOG.warning("model %s: %s cannot be used here, running on the CPU", entry.name, wanted[0])
        self._inputs = [node.name for node in self._session.get_inputs()]
        self._outputs = list(entry.outputs) or [node.name for node in self._session.get_outputs()]
        self.provider = next(name for name, known in PROVIDERS.items() if known == self._session.get_providers()[0])
        if self.provider != "cpu":
            # An accelerator compiles at its first run, which would take the time of many frames.
            self.run_picture(np.zeros((*entry.input.size, 3), np.uint8))

    def run(self, *inputs: Array) -> list[Array]:
        """Return the outputs of the manifest entry, in its order, for inputs in the order of the model.

        Raises: ValueError for inputs of the wrong number, shape or type.
        """
        if len(inputs) != len(self._inputs):
            raise ValueError(f"model {self.entry.name}: needs {len(self._inputs)} inputs, got {len(inputs)}")
        try:
            with counted(self.entry.name):
                for _ in range(_REPEATS):
                    outputs = self._session.run(self._outputs, dict(zip(self._inputs, inputs, strict=True)))
        except Exception as error:  # see above
            shapes = ", ".join(f"{x.dtype} {np.shape(x)}" for x in inputs)
            raise ValueError(f"model {self.entry.name}: cannot run on {shapes}: {error}") from error
        return list(outputs)

    def run_picture(self, image: npt.NDArray[np.uint8]) -> list[Array]:
        """Return the outputs for one (H, W, 3) uint8 BGR picture of the model's input size."""
        return self.run(self.entry.input.tensor(image))


# The sessions that somebody has, by what they were loaded with: the cameras of one process share them.
_SHARED: WeakValueDictionary[tuple[str, int, tuple[str, ...]], Session] = WeakValueDictionary()
_LOADING = threading.Lock()


def load(name: str, threads: int = 1, providers: Sequence[str] | None = None, *, cache: Path | None = None) -> Session:
    """Return a session of the model `name` of the manifest, its file verified against the recorded SHA-256.

    Whoever loads the same model with the same arguments while it is in use gets the same session: a second camera in
    a process needs no memory for it. Arguments as in Session. cache: folder of the imported models, see `cache_folder`.

    Raises: ModelError that says what to run where the model is missing, damaged or from another version.
    """
    entry = load_manifest(cache).entry(name)
    content, wanted = read_model(entry, cache_folder(cache)), wanted_providers(providers)
    key = sha256(content).hexdigest(), threads, tuple(wanted)
    with _LOADING:
        session = _SHARED.get(key)
        if session is None or session.entry != entry:
            session = _SHARED[key] = Session(entry, content, threads, wanted)
    return session
