"""The interface of every backend, and the one place that loads their libraries, when they are asked for."""

import os
from typing import Protocol

from privcam_vlm.protocol.prompt import Question
from privcam_vlm.vlm_settings import OPENAI, Settings


class Backend(Protocol):
    """Something that answers questions, one at a time."""

    def answer(self, question: Question, deadline: float) -> str:
        """Return the model's text, unchecked. deadline: of `time.monotonic`, in s. Raises NoAnswer."""
        ...


def open_backend(settings: Settings) -> Backend:
    """Return the backend that was chosen. It may take minutes to load a model.

    Raises Unusable where the settings name something that cannot work.
    """
    if settings.vlm == OPENAI:
        from privcam_vlm.backends.endpoint import EndpointBackend

        return EndpointBackend(settings)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library loads
    from privcam_vlm.backends.local import LocalBackend

    return LocalBackend(settings)
