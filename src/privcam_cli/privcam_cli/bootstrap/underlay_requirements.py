"""Requirements on top of a ROS 2 that the user has sourced: what it brings is used, and nothing of it is shadowed.

ROS's own extension modules are compiled against the system's NumPy; a newer one in front of it would break them. So a
package that is there already is left out, and the system's NumPy is a constraint for the rest.
"""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Distribution -> module that tells that it is there. What is not in this table is always installed as pinned.
MODULES = {
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "scipy": "scipy",
    "matplotlib": "matplotlib",
    "psutil": "psutil",
    "PyYAML": "yaml",
    "colcon-common-extensions": "colcon_ros",
    "setuptools": "setuptools",
    "cv-bridge": "cv_bridge",
}
# The last one that works with NumPy 1.
OPENCV_FOR_NUMPY_1 = "opencv-python-headless==4.11.0.86"
CV_BRIDGE = "cv-bridge==1.13.0.post0"

_PROBE = """
import importlib.util, json, sys
found = {m: "" for m in sys.argv[1:] if importlib.util.find_spec(m) is not None}
if "numpy" in found:
    import numpy
    found["numpy"] = numpy.__version__
print(json.dumps(found))
"""


def probe(python: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the modules of MODULES that the sourced system has; the version for numpy, else an empty text."""
    command = [str(python), "-c", _PROBE, *MODULES.values()]
    reply = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)
    return dict(json.loads(reply.stdout))


def on_top(run: Path, folder: Path, found: Mapping[str, str]) -> Path:
    """Write the requirements that are missing into `folder` and return the file.

    run: our pinned requirements. found: as from `probe`.
    """
    lines = []
    for line in [*run.read_text(encoding="utf-8").splitlines(), CV_BRIDGE]:
        name = re.split(r"[=<>;\[ ]", line, maxsplit=1)[0]
        if not name or name.startswith("#") or MODULES.get(name) in found:
            continue
        old_numpy = found.get("numpy", "").startswith("1.")
        lines.append(OPENCV_FOR_NUMPY_1 if name == "opencv-python-headless" and old_numpy else line)
    folder.mkdir(parents=True, exist_ok=True)
    if found.get("numpy"):
        constraints = folder / "constraints.txt"
        constraints.write_text(f"numpy=={found['numpy']}\n", encoding="utf-8")
        lines.insert(0, f"-c {constraints}")
    file = folder / "requirements.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file
