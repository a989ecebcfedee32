"""A real browser that looks at the console: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Root in a container has no sandbox to give, and the pages are our own.
OPTIONS = ["--no-sandbox", "--disable-gpu"]


@contextmanager
def browser() -> Iterator["Browser"]:
    """Start the browser. Skips the test, with the reason, where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs requirements/dev.txt")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed; as root ./privcam test installs one")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=OPTIONS)
        try:
            yield running
        finally:
            running.close()
