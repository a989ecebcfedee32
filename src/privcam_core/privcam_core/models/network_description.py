"""Reads the descriptions of networks that are part of a package, without loading the networks or their runtime."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class WrongWeights(ValueError):
    """Weights cannot be used: changed, damaged, or made for another version of the code. Says which and what to do."""


def described(path: Path, make: Callable[[Mapping[str, Any]], T], package: str) -> T:
    """Return what `make` makes of the JSON file beside the weights of a package. Raises WrongWeights."""
    try:
        return make(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WrongWeights(f"{path}: {error}; install {package} again, or make it with `privcam train`") from error
