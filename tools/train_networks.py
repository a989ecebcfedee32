"""`./privcam train`: trains the networks of the project; --quick checks in a minute that the training works.

The code is in the folder `training`, and needs what requirements/generative.txt lists. It is in no ROS package, so
that no edge and no cloud can come to need it.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from privcam_bringup.launching.resources import resource

PARTS = ("temporal", "encoder")


def main(argv: Sequence[str]) -> int:
    """Train; return 0 if all parts did."""
    parser = argparse.ArgumentParser(prog="privcam train", description=__doc__)
    parser.add_argument("clips", nargs="?", type=Path, help="folder with annotations.json and the clips that it names")
    parser.add_argument("--quick", action="store_true", help="little, simulated data; the results are good for nothing")
    parser.add_argument("--bags", type=Path, help="folder of Ω bags, made where they are missing (default: OUT/bags)")
    parser.add_argument("--only", choices=PARTS, help="temporal: the model that recognises; encoder: what makes z")
    parser.add_argument("--pictures", type=Path, help="encoder: folder of photographs that serve as rooms too")
    parser.add_argument(
        "--skeletons",
        type=Path,
        help="folder of published skeletons: MSR Action3D (encoder, to be named from z), UP-Fall, "
        "UR fall and SBU (temporal, to learn from)",
    )
    parser.add_argument("--out", type=Path, default=Path("out/train"), help="folder for the results")
    options = parser.parse_args(argv)
    if options.clips is None and not options.quick:
        parser.error("which clips? Name a folder with annotations.json, or use --quick")
    sys.path.insert(0, str(resource("pyproject.toml").parent / "training"))
    out: Path = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    for part in PARTS if options.only is None else (options.only,):
        train = importlib.import_module(f"privcam_training.{part}.train_{part}")
        if options.quick:
            train.train_quick(out / "quick")
        elif part == "temporal":
            train.train_full(options.clips, options.bags or out / "bags", out, options.skeletons)
        else:
            train.train_full(options.clips, options.bags or out / "bags", out, options.pictures, options.skeletons)
    return 0
