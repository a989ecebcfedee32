"""Refuses values of launch arguments with which a node would fail, and be started again, for ever."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from privcam_bringup.bag_routes import plan
from privcam_bringup.bags.bag_reader import BagReader
from privcam_bringup.bags.storage_file import UnusableBag
from privcam_core.source_credentials import CredentialsRejected, read_credentials
from privcam_core.source_text import SecretInSource, require_no_secret
from privcam_core.types.identifiers import is_camera_namespace, namespace_error
from privcam_sources.container_source import require_readable
from privcam_sources.errors import SourceError
from privcam_sources.source_spec import parse

# Pictures come from a camera driver.
TOPIC = "topic"
PARAMETER_FILES = ("params_file", "edge_params_file")


class UnusableArgument(ValueError):
    """The value of a launch argument cannot be used. Says which, why, and what to do."""


def require_given_once(names: Iterable[str]) -> None:
    """Raise UnusableArgument where an argument is given more than once: which value was meant, nobody knows."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise UnusableArgument(f"{', '.join(f'{name}:=' for name in repeated)} is given more than once; give it once")


def require_usable(arguments: Mapping[str, str]) -> None:
    """Raise UnusableArgument for a value that cannot work, by the name of the argument in our launch files."""
    if "camera_id" in arguments:
        _require_camera_id("camera_id", arguments["camera_id"])
    if "cameras" in arguments:
        names = arguments["cameras"].split()
        if not names:
            raise UnusableArgument("cameras: names no camera; separate their names by blanks")
        for name in names:
            _require_camera_id("cameras", name)
        if len(set(names)) < len(names):
            raise UnusableArgument(f"cameras: {arguments['cameras']} names a camera twice; give each its own name")
    for name in PARAMETER_FILES:
        if arguments.get(name) and not Path(arguments[name]).is_file():
            raise UnusableArgument(f"{name}: {arguments[name]} is not a file; give a file of parameters")
    if arguments.get("params_file") and "cameras" in arguments:
        _require_sections_of(arguments["params_file"], arguments["cameras"].split())
    if arguments.get("credentials") and not Path(arguments["credentials"]).is_dir():
        raise UnusableArgument(f"credentials: {arguments['credentials']} is not a folder; ./privcam keys makes one")
    if "source" in arguments:
        _require_source(arguments["source"], arguments.get("source_credentials", ""))
    if "bag" in arguments:
        _require_bag(arguments["bag"], arguments)


def _require_camera_id(name: str, value: str) -> None:
    if not is_camera_namespace(value):
        raise UnusableArgument(f"{name}: {namespace_error(value)}")


def _require_sections_of(file: str, cameras: Sequence[str]) -> None:
    """Refuse a section of a camera that is not there: a misspelt one would leave a zone of somebody else's unset."""
    try:
        sections = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UnusableArgument(f"params_file: {file} cannot be read: {error}") from error
    for section in sections if isinstance(sections, dict) else ():
        first, *rest = str(section).strip("/").split("/")
        if rest and "*" not in first and first not in cameras:
            raise UnusableArgument(
                f"params_file: {file} has a section {section}, and {first} is none of cameras:={' '.join(cameras)}; "
                "correct its name, or take the section out"
            )


def _require_source(source: str, credentials: str) -> None:
    try:
        require_no_secret(source)
        if source == TOPIC:
            return
        spec = parse(source, read_credentials(credentials) if credentials else None)
        if spec.kind == "file":  # a camera that is away may come back
            require_readable(spec)
    except (SecretInSource, SourceError, CredentialsRejected) as error:
        raise UnusableArgument(str(error)) from error


def _require_bag(bag: str, arguments: Mapping[str, str]) -> None:
    pictures = arguments.get("pictures", "false").strip().lower() in ("true", "1")
    try:
        with BagReader(Path(bag).expanduser()) as reader:
            plan(reader.topics, arguments.get("camera_id"), arguments.get("topic") or None, pictures=pictures)
    except (UnusableBag, OSError) as error:
        raise UnusableArgument(f"the bag {bag} cannot be replayed: {error}") from error
