"""Folders that a user names for results: `~` is expanded, and nothing is made where a disk is only not mounted."""

import argparse
from pathlib import Path


def output_folder(text: str) -> Path:
    """Return the folder of an argument, absolute. It need not exist; below the working directory its parents neither.

    Raises ArgumentTypeError, which argparse shows, where the folder above it does not exist, or is no folder.
    """
    try:
        path = Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is not a folder; choose another name")
    if not path.parent.is_dir() and Path.cwd() not in path.parents:
        raise argparse.ArgumentTypeError(f"{path.parent} does not exist; make it, or mount its disk, and try again")
    return path
