"""`./privcam record BAG`: runs the cloud side and records what it receives and makes."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from privcam_bringup.launching import launch_command


def main(argv: Sequence[str]) -> int:
    """Run the cloud's launch file with a recorder; return its exit code."""
    parser = argparse.ArgumentParser(prog="privcam record", description=__doc__)
    parser.add_argument("bag", type=Path, metavar="BAG", help="folder of the bag to write; it must not exist yet")
    parser.add_argument("arguments", nargs="*", metavar="NAME:=VALUE", help="further arguments of cloud.launch.xml")
    options = parser.parse_args(argv)
    return launch_command.main(["cloud", f"record:={options.bag.absolute()}", *options.arguments])
