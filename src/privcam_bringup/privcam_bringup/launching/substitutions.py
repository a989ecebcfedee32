"""Expands `$(var x)` and the other substitutions in attribute values."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_TOKEN = re.compile(r"\$\(|\)|\s+|[^$()\s]+|.", re.DOTALL)


class UnsupportedText(ValueError):
    """An attribute value uses something that is not supported or not known."""


@dataclass(frozen=True)
class Lookup:
    """Where substitutions find their values."""

    variables: Mapping[str, str]
    environment: Mapping[str, str]
    directory: Path
    find_share: Callable[[str], Path]


@dataclass(frozen=True)
class Substitution:
    """One `$(kind argument ...)`; every argument is itself text with substitutions."""

    kind: str
    arguments: tuple[tuple["Part", ...], ...]


Part = str | Substitution


def parse(text: str) -> list[Part]:
    """Split an attribute value into plain text and substitutions.

    Raises UnsupportedText: escapes, a lone "$", quotes inside of a substitution, or a parenthesis left open.
    """
    if "\\" in text:
        raise UnsupportedText(f"{text!r}: escapes with a backslash are not supported")
    parts, rest = _sequence(_TOKEN.findall(text), nested=False)
    if rest:
        raise UnsupportedText(f"{text!r}: unexpected {rest[0]!r}")
    return parts


def _sequence(tokens: list[str], *, nested: bool) -> tuple[list[Part], list[str]]:
    """Read parts up to a space or ")" inside of a substitution, else up to the end. Return them and what is left."""
    parts: list[Part] = []
    while tokens:
        token = tokens[0]
        if token == "$(":
            substitution, tokens = _substitution(tokens[1:])
            parts.append(substitution)
            continue
        if token == "$":
            raise UnsupportedText('a "$" that does not begin a substitution is not supported')
        if nested and (token == ")" or token.isspace()):
            break
        if nested and ("'" in token or '"' in token or token == "("):
            raise UnsupportedText(f"{token!r} inside of a substitution is not supported")
        parts.append(token)
        tokens = tokens[1:]
    return _joined(parts), tokens


def _joined(parts: list[Part]) -> list[Part]:
    joined: list[Part] = []
    for part in parts:
        if joined and isinstance(part, str) and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def _substitution(tokens: list[str]) -> tuple[Substitution, list[str]]:
    arguments: list[tuple[Part, ...]] = []
    while True:
        argument, tokens = _sequence(tokens, nested=True)
        if not tokens:
            raise UnsupportedText('a "$(" is not closed')
        if not argument:
            raise UnsupportedText("an empty word in a substitution is not supported")
        arguments.append(tuple(argument))
        if tokens[0] == ")":
            break
        if tokens[0] != " ":
            raise UnsupportedText("the words of a substitution have to be one space apart")
        tokens = tokens[1:]
    kind = arguments[0][0] if len(arguments[0]) == 1 else None
    if not isinstance(kind, str):
        raise UnsupportedText("the name of a substitution has to be plain text")
    return Substitution(kind, tuple(arguments[1:])), tokens[1:]


def expand(text: str, lookup: Lookup) -> str:
    """Return an attribute value with its substitutions replaced. Raises UnsupportedText."""
    return _text(parse(text), lookup)


def expand_words(text: str, lookup: Lookup) -> list[str]:
    """Return the words of an `args` attribute. What a substitution yields is never split. Raises UnsupportedText."""
    words: list[str] = []
    open_word = False
    for part in parse(text):
        if isinstance(part, Substitution):
            value = _value(part, lookup)
            words = [*words[:-1], words[-1] + value] if open_word else [*words, value]
            open_word = True
            continue
        if "'" in part or '"' in part:
            raise UnsupportedText(f"{text!r}: quotes in args are not supported")
        for piece in re.split(r"(\s+)", part):
            if not piece:
                continue
            if piece.isspace():
                open_word = False
            elif open_word:
                words[-1] += piece
            else:
                words.append(piece)
                open_word = True
    return words


def _text(parts: list[Part] | tuple[Part, ...], lookup: Lookup) -> str:
    return "".join(part if isinstance(part, str) else _value(part, lookup) for part in parts)


def _value(substitution: Substitution, lookup: Lookup) -> str:
    arguments = [_text(argument, lookup) for argument in substitution.arguments]
    match (substitution.kind, arguments):
        case ("var", [name]):
            if name not in lookup.variables:
                raise UnsupportedText(f"$(var {name}): no <arg> or <let> of this name comes before")
            return lookup.variables[name]
        case ("env", [name]):
            if name not in lookup.environment:
                raise UnsupportedText(f"$(env {name}): the environment variable is not set")
            return lookup.environment[name]
        case ("env", [name, default]):
            return lookup.environment.get(name, default)
        case ("find-pkg-share", [package]):
            try:
                return str(lookup.find_share(package))
            except LookupError as error:
                raise UnsupportedText(f"$(find-pkg-share {package}): the package is not installed here") from error
        case ("dirname", []):
            return str(lookup.directory)
        case ("not-equals", [left, right]):
            return _not_equals(left, right)
    written = " ".join([substitution.kind, *arguments])
    raise UnsupportedText(f"$({written}) is not supported")


def _not_equals(left: str, right: str) -> str:
    # The stock tool compares two truth values or two numbers by value; such a comparison would need its exact rules.
    for kind in (_is_truth_value, _is_number):
        if kind(left) and kind(right):
            raise UnsupportedText(f"$(not-equals {left} {right}): only words can be compared")
    return "false" if left == right else "true"


def _is_truth_value(text: str) -> bool:
    return text.lower() in {"true", "false", "1", "0"}


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False
