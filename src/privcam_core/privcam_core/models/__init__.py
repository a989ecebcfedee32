"""The models: where they come from, and how they are run."""

from privcam_core.models.errors import ModelError
from privcam_core.models.session import Session, load

__all__ = ["ModelError", "Session", "load"]
