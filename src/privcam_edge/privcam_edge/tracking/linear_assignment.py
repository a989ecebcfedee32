"""SciPy's solver of the assignment problem, without the 400 modules of scipy.optimize beside it.

They take 0.4 s of CPU, half of the start of a tracker that was killed; the solver is one extension module that needs
NumPy alone. Where SciPy keeps it elsewhere, it comes the usual way.
"""

from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

import scipy

Solver = Callable[..., tuple[Any, Any]]


def _load() -> Solver:
    folder = Path(scipy.__file__).parent / "optimize"
    spec = PathFinder.find_spec("_lsap", [str(folder)])
    if spec is None or spec.loader is None:
        from scipy.optimize import linear_sum_assignment

        return linear_sum_assignment  # type: ignore[no-any-return]
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.linear_sum_assignment  # type: ignore[no-any-return]


# As scipy.optimize.linear_sum_assignment: rows and columns of the cheapest matching of a cost matrix (N, M).
linear_sum_assignment: Solver = _load()
