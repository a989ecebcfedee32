"""Finds launch files, configuration files and executables."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_prefix, get_package_share_directory


def find_share(package: str) -> Path:
    """Return the share folder of an installed package. Raises LookupError."""
    return Path(get_package_share_directory(package))


def find_executable(package: str, executable: str) -> Path:
    """Return lib/<package>/<executable> of an installed package. Raises LookupError, which says what to do."""
    try:
        prefix = Path(get_package_prefix(package))
    except LookupError as error:
        raise LookupError(f"the package {package} is not installed; build the workspace and source it") from error
    program = prefix / "lib" / package / executable
    if not program.is_file() or not os.access(program, os.X_OK):
        raise LookupError(f"{program} is missing or not executable; build {package} again")
    return program


def resource(relative: str) -> Path:
    """Return a file of launch/ or config/, from the source tree where this package runs in it, else from its share.

    Raises LookupError.
    """
    for folder in Path(__file__).resolve().parents:
        if (folder / relative).is_file() and (folder / "src" / "privcam_bringup").is_dir():
            return folder / relative
    installed = find_share("privcam_bringup") / relative
    if not installed.is_file():
        raise LookupError(f"{installed} does not exist; build the workspace again")
    return installed
