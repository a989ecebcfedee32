"""Settings of the generative backend, checked before anything is loaded."""

import re
from dataclasses import dataclass
from pathlib import Path

# OWNER/NAME, as the hub names its models.
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


@dataclass(frozen=True)
class GenerativeSettings:
    """Which model paints, how often, and how long it may take.

    model, control: folder or hub id of the pipeline, and of its ControlNet; empty control: the pipeline has one.
    period_s: from the start of one picture to that of the next, at least. budget_s: for one picture with its
    inspection. steps: of denoising.

    Raises: ValueError for what cannot be meant. Whether a model is there is found out when it is loaded.
    """

    model: str
    control: str = ""
    period_s: float = 2.0
    budget_s: float = 20.0
    steps: int = 12

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError(
                "generative_model: is empty; name the folder or hub id of a pipeline, see docs/generative.md"
            )
        for field, name in (("generative_model", self.model), ("generative_control", self.control)):
            if name and not is_folder(name) and not _HUB_ID.fullmatch(name):
                raise ValueError(
                    f"{field}: {name!r} is no folder that exists, no path that begins with /, ./ or ../, "
                    "and no hub id OWNER/NAME"
                )
        for field, value in (("generative_period_s", self.period_s), ("generative_budget_s", self.budget_s)):
            if not value > 0:
                raise ValueError(f"{field}: {value} is not more than 0 s")
        if self.steps < 1:
            raise ValueError(f"generative_steps: {self.steps} is less than 1")

    @property
    def fresh_s(self) -> float:
        """How old a picture may be that is shown: until its successor has to be there."""
        return self.period_s + self.budget_s


def is_folder(name: str) -> bool:
    """Return whether a model's name means a folder, which is never looked for on the network, and not a hub id."""
    return name.startswith(("/", "./", "../")) or Path(name).is_dir()
