"""Converts attribute text to typed values, by the rules of the stock launch tool."""

from typing import Any

import yaml

from privcam_bringup.launching.process_model import ParameterValue
from privcam_bringup.launching.substitutions import Lookup, Substitution, UnsupportedText, expand, parse

_TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}


def truth(text: str) -> bool:
    """Return the value of a condition. Raises UnsupportedText for anything but true, false, 1 and 0."""
    word = text.strip().lower()
    if word in {"true", "1"}:
        return True
    if word in {"false", "0"}:
        return False
    raise UnsupportedText(f"{text!r} is neither true nor false")


def parameter_value(text: str, type_name: str | None, lookup: Lookup) -> ParameterValue:
    """Return the value of a <param>.

    Without a type, YAML decides: `5` is an integer, `5.0` a number, `'5'` a text. What a substitution yields is read
    as YAML too, so a text that may look like a number needs type="str". Raises UnsupportedText.
    """
    if type_name is None:
        return _by_yaml(text, lookup)
    if type_name not in _TYPES:
        raise UnsupportedText(f'type="{type_name}" is not supported, only {", ".join(_TYPES)}')
    value = expand(text, lookup)
    wanted = _TYPES[type_name]
    if wanted is str:
        return value
    if wanted is bool:
        read = _load(value)
        if not isinstance(read, bool):
            raise UnsupportedText(f"{value!r} is not a bool")
        return read
    try:
        return int(value) if wanted is int else float(value)
    except ValueError as error:
        raise UnsupportedText(f"{value!r} is not of type {type_name}") from error


def _by_yaml(text: str, lookup: Lookup) -> ParameterValue:
    written = _load(text)
    if not isinstance(written, str):
        if isinstance(written, list) and any("$(" in str(item) for item in written):
            raise UnsupportedText(f"{text!r}: substitutions in a list are not supported")
        return _allowed(written, text)
    if not any(isinstance(part, Substitution) for part in parse(written)):
        return written
    value = expand(written, lookup)
    return _allowed(_load(value), value)


def _load(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UnsupportedText(f"{text!r} is not YAML") from error


def _allowed(value: Any, text: str) -> ParameterValue:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list) and value and type(value[0]) in _TYPES.values() and len({type(v) for v in value}) == 1:
        return value
    raise UnsupportedText(
        f"{text!r} is not a value of a parameter; write a bool, number, text or list of one kind "
        'of them (an empty text needs type="str")'
    )
