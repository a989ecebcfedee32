"""The tracker must start fast after a crash, so it does not import the libraries that take longest to load."""

import sys
from subprocess import run


def test_tracker_starts_without_the_libraries_that_take_longest() -> None:
    # Not in the list: scipy.optimize (0.4 s of CPU), whose public linear_sum_assignment the tracker uses.
    heavy = ("dp_accounting", "scipy.stats", "sklearn", "matplotlib", "onnx")
    tracker = "privcam_perception.tracking.person_tracker"
    code = f"import sys, {tracker};print(*(name for name in {heavy!r} if name in sys.modules))"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
