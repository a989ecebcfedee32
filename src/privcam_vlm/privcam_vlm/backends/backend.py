"""The interface of the backends. The library of a backend is only imported when it is chosen."""

import os
from typing import Protocol

from privcam_vlm.protocol.prompt import Prompt
from privcam_vlm.vlm_settings import OPENAI, Settings


class Backend(Protocol):
    """Replies to prompts, one at a time."""

    def reply(self, prompt: Prompt, deadline: float) -> str:
        """Return the model's text, unchecked. deadline: of `time.monotonic`, in s. Raises NoReply."""
        ...


def open_backend(settings: Settings) -> Backend:
    """Return the chosen backend. It may take minutes to load a model.

    Raises Unusable for settings that cannot work.
    """
    if settings.vlm == OPENAI:
        from privcam_vlm.backends.endpoint import EndpointBackend

        return EndpointBackend(settings)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library loads
    from privcam_vlm.backends.local import LocalBackend

    return LocalBackend(settings)
