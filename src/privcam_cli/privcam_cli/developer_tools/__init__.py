"""Commands for developers: their code is in the folder `tools` of a checkout, in no package."""

import importlib
import sys
from collections.abc import Sequence

from privcam_bringup.launching.resources import resource


def run_tool(name: str, argv: Sequence[str]) -> int:
    """Run `main(argv)` of tools/NAME.py and return its exit code. Raises LookupError outside of a checkout."""
    folder = str(resource(f"tools/{name}.py").parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return int(importlib.import_module(name).main(argv))
