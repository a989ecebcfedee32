"""Command line: make models ready. `python3 -m privcam_cli.models [--source FOLDER] [NAME ...]`."""

import argparse
import sys
from pathlib import Path

from privcam_cli.models.fetch import prepare
from privcam_core.models.errors import ModelError
from privcam_core.models.manifest import cache_folder


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0 when all models are ready, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="privcam models",
        description="Fetch, verify and import the models that privcam needs. What is ready is skipped.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="models to make ready; all of the manifest if none")
    parser.add_argument("--source", type=Path, metavar="FOLDER", help="take packages or files from here, no network")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help=f"where to keep them (now {cache_folder()})")
    given = parser.parse_args(arguments)
    try:
        prepare(given.names or None, given.cache, given.source, lambda line: print(f"[models] {line}", flush=True))
    except (ModelError, OSError) as error:
        print(f"[models] error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
