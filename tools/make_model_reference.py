"""Records reference outputs of models: `PYTHONPATH=tools python -m make_model_reference SOURCE [NAME ...]`.

For developers who add or change a model. Compare the import with the original runtime before recording anything.
"""

import argparse
from pathlib import Path

from privcam_core.models.importing import import_model
from privcam_core.models.manifest import load_manifest
from privcam_core.models.reference import save_reference, synthetic_input
from privcam_core.models.session import Session


def main(arguments: list[str] | None = None) -> None:
    """Import each model from loose files and write its reference into privcam_core."""
    parser = argparse.ArgumentParser(prog="python -m make_model_reference", description=__doc__)
    parser.add_argument("source", type=Path, help="folder with the source files, at their paths inside the packages")
    parser.add_argument("names", nargs="*", help="models to record; all of the manifest if none")
    given = parser.parse_args(arguments)
    manifest = load_manifest()
    for entry in [manifest.entry(name) for name in given.names or manifest.names]:
        model = import_model(entry, {file.path: (given.source / file.path).read_bytes() for file in entry.files})
        path = save_reference(entry, Session(entry, model, providers=["cpu"]).run(synthetic_input(entry)))
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
