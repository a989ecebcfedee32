"""`./privcam train`: trains the models that privcam ships, or with --quick shows in minutes that it still works.

The code is in the folder `training`, and needs what requirements/generative.txt lists. It is in no package of ours, so
that no edge and no cloud can come to need it.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from privcam_cli.launching.resources import resource

PARTS = ("temporal", "encoder")


def main(argv: Sequence[str]) -> int:
    """Train; return 0 if all parts did."""
    parser = argparse.ArgumentParser(prog="privcam train", description=__doc__)
    parser.add_argument("clips", nargs="?", type=Path, help="folder with annotations.json and the clips that it names")
    parser.add_argument("--quick", action="store_true", help="little, simulated data; the results are good for nothing")
    parser.add_argument("--only", default=",".join(PARTS), help="of temporal,encoder")
    parser.add_argument("--bags", type=Path, help="folder of Ω bags, made where they are missing (default: OUT/bags)")
    parser.add_argument("--out", type=Path, default=Path("out/train"), help="folder for the results")
    options = parser.parse_args(argv)
    wanted = options.only.split(",")
    if not wanted or set(wanted) - set(PARTS):
        parser.error(f"--only: {options.only!r} is not of {', '.join(PARTS)}")
    if options.clips is None and not options.quick:
        parser.error("which clips? Name a folder with annotations.json, or use --quick")
    sys.path.insert(0, str(resource("pyproject.toml").parent / "training"))
    out: Path = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    if options.quick:
        _quick(wanted, out)
    else:
        _full(wanted, options.clips, options.bags or out / "bags", out)
    return 0


def _quick(wanted: Sequence[str], out: Path) -> None:
    for part in wanted:
        started = time.monotonic()
        _train(part).train_quick(out / "quick")
        print(f"[train] {part}: {time.monotonic() - started:.0f} s", flush=True)


def _full(wanted: Sequence[str], clips: Path, bags: Path, out: Path) -> None:
    if "temporal" in wanted:
        _train("temporal").train_full(clips, bags, out)
    if "encoder" in wanted:
        _train("encoder").train_full(bags, clips, out)


def _train(part: str) -> Any:
    return importlib.import_module(f"privcam_training.{part}.train")
