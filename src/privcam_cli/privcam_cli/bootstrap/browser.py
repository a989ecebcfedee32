"""The browser in which the tests look at the console: a system package, because no Python package brings one."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from privcam_cli.bootstrap.setup_steps import SetupError, run

# Names of the same browser; the test looks for them in this order too.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COMMAND = ("apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core")


def install_browser(root: Path, say: Callable[[str], None]) -> None:
    """Install Chromium where it is missing. Where that is impossible, say why: only its tests are skipped then."""
    if any(shutil.which(name) for name in BROWSERS):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        say(f"without a browser the tests of the console's page are skipped. Run: sudo {' '.join(COMMAND)}")
        return
    log = root / "log/setup/browser.log"
    try:
        # apt is never killed: dpkg would have to be repaired by hand.
        run(["apt-get", "update"], log=log, dies_with_us=False)
        run(COMMAND, log=log, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, dies_with_us=False)
    except SetupError as error:
        say(f"no browser, so the tests of the console's page are skipped: {error}")
