"""Chooses what the networks run on: the processor, or an accelerator that the installed runtime has."""

import logging
import os
from collections.abc import Sequence

from privcam_core.models.runtime import onnxruntime

_LOG = logging.getLogger(__name__)

VARIABLE = "PRIVCAM_PROVIDER"
AUTO = "auto"
PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
# TensorRT builds an engine for minutes when a model is first loaded, so it is used only where it is asked for; and so
# is OpenVINO, which runs on the same processor (docs/hardware.md).
_BY_DEFAULT = ("cuda", "cpu")


def wanted_providers(given: Sequence[str] | None = None) -> list[str]:
    """Return what is asked for, in the order of preference: `given`, or what PRIVCAM_PROVIDER names if that is None.

    The variable is "auto", for which nothing is returned, or names separated by commas. Raises ValueError for an
    unknown name in it.
    """
    if given is not None:
        return list(given)
    names = [name.strip() for name in os.environ.get(VARIABLE, AUTO).split(",") if name.strip()]
    if not names or names == [AUTO]:
        return []
    _require_known(names, f"{VARIABLE}: ")
    return names


def runtime_names(model: str, wanted: Sequence[str]) -> list[str]:
    """Return the runtime's names of what there is of `wanted`, the processor last. Empty: the best that there is.

    What is asked for and is not there is left out, with a warning. Raises ValueError for an unknown name.
    """
    _require_known(wanted, "providers: ")
    available = onnxruntime.get_available_providers()
    chosen = []
    for name in wanted or _BY_DEFAULT:
        if PROVIDERS[name] in available:
            chosen.append(PROVIDERS[name])
        elif wanted:
            _LOG.warning("model %s: this ONNX Runtime has no %s, going on without it", model, name)
    return list(dict.fromkeys([*chosen, PROVIDERS["cpu"]]))


def available_providers() -> list[str]:
    """Return our names of all providers that the installed runtime has, the processor last."""
    available = onnxruntime.get_available_providers()
    return [name for name, runtime_name in PROVIDERS.items() if runtime_name in available]


def _require_known(names: Sequence[str], where: str) -> None:
    unknown = [name for name in names if name not in PROVIDERS]
    if unknown:
        raise ValueError(f"{where}{', '.join(unknown)} unknown; there are {', '.join(PROVIDERS)}")
