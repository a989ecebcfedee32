"""`./privcam train`: trains the model that recognises, or with --quick shows in a minute that it still works.

The code is in the folder `training`, and needs what requirements/generative.txt lists. It is in no package of ours, so
that no edge and no cloud can come to need it.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from privcam_cli.launching.resources import resource


def main(argv: Sequence[str]) -> int:
    """Train; return 0 if all parts did."""
    parser = argparse.ArgumentParser(prog="privcam train", description=__doc__)
    parser.add_argument("clips", nargs="?", type=Path, help="folder with annotations.json and the clips that it names")
    parser.add_argument("--quick", action="store_true", help="little, simulated data; the results are good for nothing")
    parser.add_argument("--bags", type=Path, help="folder of Ω bags, made where they are missing (default: OUT/bags)")
    parser.add_argument("--out", type=Path, default=Path("out/train"), help="folder for the results")
    options = parser.parse_args(argv)
    if options.clips is None and not options.quick:
        parser.error("which clips? Name a folder with annotations.json, or use --quick")
    sys.path.insert(0, str(resource("pyproject.toml").parent / "training"))
    out: Path = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    train = importlib.import_module("privcam_training.temporal.train")
    if options.quick:
        train.train_quick(out / "quick")
    else:
        train.train_full(options.clips, options.bags or out / "bags", out)
    return 0
