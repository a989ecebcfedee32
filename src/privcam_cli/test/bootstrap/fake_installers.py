"""Fast stand-ins for what the set-up steps start: apt, venv, pip, colcon and the import of models.

They are small programs in the places where the real set-up code finds the real ones. Each notes its step in a file. The
step that is named in the file `hold` does half of its work, writes its name into a FIFO, and waits for its end.
"""

import os
import select
import sys
from pathlib import Path

# Against a test that hangs; nothing waits for as long on a slow machine.
HANG_LIMIT_S = 300.0

NOTE = """
import os, sys
from pathlib import Path
FAKE = Path({fake!r})
def note(step):
    with (FAKE / "steps").open("a") as steps:
        steps.write(step + "\\n")
def hold(step):
    if (FAKE / "hold").read_text() == step:
        with (FAKE / "held").open("w") as held:
            held.write(step)
        (FAKE / "go").open().read()
"""

VENV = """
note("venv")
venv = Path(sys.argv[-1])
(venv / "bin").mkdir(parents=True)
hold("venv")
site = venv / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"
(site / "pip").mkdir(parents=True)
(site / "pip/__init__.py").touch()
(site / "pip/__main__.py").write_text((FAKE / "pip.py").read_text())
(venv / "pyvenv.cfg").write_text("home = " + os.path.dirname(os.path.realpath(sys.executable)))
(venv / "bin/python").symlink_to(os.path.realpath(sys.executable))
"""

PIP = """
site = Path(__file__).parents[1]
step = "tools" if "dev.txt" in " ".join(sys.argv) else "packages"
note(step)
(site / "numpy.py").write_text("")
hold(step)
(site / "numpy.py").write_text("def get_include(): return 'include'")
(site / "colcon").mkdir(exist_ok=True)
(site / "colcon/__main__.py").write_text((FAKE / "colcon.py").read_text())
(site / (step + ".complete")).touch()
"""

COLCON = """
note("workspace")
Path("install").mkdir(exist_ok=True)
Path("install/local_setup.sh").write_text("exit 9")
hold("workspace")
packages = FAKE / "packages"
Path("install/local_setup.sh").write_text("export PYTHONPATH=" + str(packages))
"""

MODELS = """
note("models")
hold("models")
Path(os.environ["PRIVCAM_MODELS"]).mkdir(exist_ok=True)
"""

APT = """
if "install" in sys.argv:
    step = "browser" if "chromium" in sys.argv else "system"
    note(step)
    hold(step)
    for name in ("chromium",) if step == "browser" else ("cc", "c++"):
        tool = FAKE / "bin" / name
        tool.write_text("#!/bin/sh")
        tool.chmod(0o755)
"""


class FakeMachine:
    """A checkout and a machine around it. `environment` is that of its user; `root` the checkout."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkout"
        self._fake = folder / "fake"
        (self._fake / "bin").mkdir(parents=True)
        for name in ("held", "go"):
            os.mkfifo(self._fake / name)
        self.hold("")
        (self._fake / "steps").touch()
        self._program("modules/venv/__init__.py", "")
        self._program("modules/venv/__main__.py", VENV)
        self._program("pip.py", PIP)
        self._program("colcon.py", COLCON)
        self._program("packages/privcam_cli/__init__.py", "")
        self._program("packages/privcam_cli/models.py", MODELS)
        self._program("packages/privcam_cli/__main__.py", 'print("ran", *sys.argv[1:])')
        apt = self._program("bin/apt-get", APT)
        apt.write_text(f"#!{sys.executable}\n{apt.read_text()}")
        apt.chmod(0o755)
        for name in ("ros.txt", "run.txt", "dev.txt", "generative.txt"):
            self._source(f"requirements/{name}")
        self._source("colcon.meta")
        self._source("src/privcam_core/privcam_core/models/models.yaml")
        self.environment = {
            "PATH": str(self._fake / "bin"),
            "PYTHONPATH": str(self._fake / "modules"),
            "PRIVCAM_MODELS": str(folder / "models"),
            "HOME": str(folder),
        }

    def _program(self, name: str, text: str) -> Path:
        path = self._fake / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(NOTE.format(fake=str(self._fake)) + text if text else "")
        return path

    def _source(self, name: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).touch()

    def hold(self, step: str) -> None:
        """Hold this step where it is half done; none if empty."""
        (self._fake / "hold").write_text(step)

    def wait_until_held(self) -> str:
        """Wait until the step to hold is half done; return its name."""
        # Open for both, so that opening does not wait for a writer that may have failed.
        held = os.open(self._fake / "held", os.O_RDWR)
        try:
            ready, _, _ = select.select([held], [], [], HANG_LIMIT_S)
            assert ready, "no step was held"
            return os.read(held, 64).decode()
        finally:
            os.close(held)

    def let_go(self) -> None:
        """Let the held step go on. Waits until it is there."""
        (self._fake / "go").open("w").close()

    def take_steps(self) -> list[str]:
        """Return the steps that were started since this was asked before."""
        steps = (self._fake / "steps").read_text().split()
        (self._fake / "steps").write_text("")
        return steps
