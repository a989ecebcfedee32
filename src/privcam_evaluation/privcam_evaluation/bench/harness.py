"""Makes the harness of the system tests importable, which is in no package."""

import sys

from privcam_bringup.launching.resources import resource


def use_test_harness() -> None:
    """Make `fuzzing` and `link_testbed` importable. Raises LookupError outside of a checkout of the project."""
    folder = str(resource("test/fuzzing/fuzzer.py").parents[1])
    if folder not in sys.path:
        sys.path.append(folder)
