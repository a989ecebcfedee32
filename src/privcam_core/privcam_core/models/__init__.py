"""The models: where they come from, how they get onto this machine, and how they are run."""

from privcam_core.models.errors import ModelError
from privcam_core.models.fetch import prepare
from privcam_core.models.session import Session, load

__all__ = ["ModelError", "Session", "load", "prepare"]
