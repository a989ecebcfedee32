"""Evaluates launch files: returns the processes that they describe, without starting any.

The rules are those of the stock tool: an included file shares the variables of its includer and leaves its own behind,
a group gives variables, namespace and environment back at its end, and what a file declares yields to what is set.
"""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import count
from pathlib import Path
from xml.etree.ElementTree import Element

from privcam_bringup.launching import schema
from privcam_bringup.launching.process_model import LaunchError, Parameter, Process, UnknownArgument
from privcam_bringup.launching.resources import find_share
from privcam_bringup.launching.substitutions import Lookup, UnsupportedText, expand, expand_words
from privcam_bringup.launching.values import parameter_value, truth

_NODE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMESPACE = re.compile(r"/|(/[A-Za-z_][A-Za-z0-9_]*)+")
_OUTPUTS = ("screen", "both")
MAX_INCLUDES = 32  # nested; beyond it a file surely includes itself


@dataclass
class _Scope:
    variables: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    namespace: str | None = None
    start_key: int | None = None
    parameters: tuple[Parameter, ...] = ()

    def copy(self) -> "_Scope":
        return _Scope(dict(self.variables), dict(self.environment), self.namespace, self.start_key, self.parameters)


@dataclass(frozen=True)
class Launch:
    """Result of a launch file: processes in the order of the files, and the environment that is set at its end."""

    processes: list[Process]
    environment: Mapping[str, str]


def parse(file: Path, arguments: Mapping[str, str]) -> list[Process]:
    """Return the processes of a launch file. Raises LaunchError, which names the file and the element."""
    return evaluate(file, arguments).processes


def evaluate(
    file: Path,
    arguments: Mapping[str, str],
    *,
    environment: Mapping[str, str] | None = None,
    shares: Callable[[str], Path] = find_share,
) -> Launch:
    """Evaluate a launch file with its includes, groups and conditions.

    arguments: values of its <arg>s. environment: what `$(env)` sees, default the environment of this process.
    shares: gives the share folder of a package, or raises LookupError. Raises LaunchError.
    """
    evaluation = _Evaluation(os.environ if environment is None else environment, shares)
    scope = _Scope(dict(arguments))
    evaluation.given = tuple(arguments)
    file = file.absolute()
    evaluation.run_file(file, scope, depth=0)
    require_declared(file, "arguments", arguments, evaluation.declared)
    return Launch(evaluation.processes, scope.environment)


def require_declared(file: Path, element: str, given: Iterable[str], declared: Collection[str]) -> None:
    """Raise UnknownArgument where a name is given that is not declared. It names the nearest one, or all of them."""
    unknown = sorted(set(given) - set(declared))
    if not unknown:
        return
    known = ", ".join(sorted(declared)) or "none"
    nearest = {name: get_close_matches(name, sorted(declared), n=1) for name in unknown}
    told = [f"{name} (meant: {match[0]}?)" if match else name for name, match in nearest.items()]
    raise UnknownArgument(file, element, f"{', '.join(told)} not declared; known: {known}")


class _Evaluation:
    def __init__(self, environment: Mapping[str, str], shares: Callable[[str], Path]) -> None:
        self.processes: list[Process] = []
        self.declared: set[str] = set()
        self.given: tuple[str, ...] = ()
        self._start_keys = count()
        self._environment = environment
        self._shares = shares

    def run_file(self, file: Path, scope: _Scope, *, depth: int) -> None:
        if depth > MAX_INCLUDES:
            raise LaunchError(file, "file", "includes itself")
        self._run(file, schema.read(file), scope, depth)

    def _run(self, file: Path, parent: Element, scope: _Scope, depth: int) -> None:
        for element in parent:
            lookup = Lookup(scope.variables, {**self._environment, **scope.environment}, file.parent, self._shares)
            try:
                if self._is_met(element, lookup):
                    self._apply(file, element, scope, lookup, depth)
            except UnsupportedText as error:
                raise LaunchError(file, schema.describe(element), str(error)) from error

    @staticmethod
    def _is_met(element: Element, lookup: Lookup) -> bool:
        if "if" in element.attrib:
            return truth(expand(element.attrib["if"], lookup))
        return "unless" not in element.attrib or not truth(expand(element.attrib["unless"], lookup))

    def _apply(self, file: Path, element: Element, scope: _Scope, lookup: Lookup, depth: int) -> None:
        attributes = element.attrib
        match element.tag:
            case "arg":
                self._declare(element, scope, lookup)
            case "let":
                scope.variables[expand(attributes["name"], lookup)] = expand(attributes["value"], lookup)
            case "set_env":
                scope.environment[expand(attributes["name"], lookup)] = expand(attributes["value"], lookup)
            case "set_parameter":
                parameter = Parameter(
                    expand(attributes["name"], lookup), parameter_value(attributes["value"], None, lookup)
                )
                scope.parameters = (*scope.parameters, parameter)
            case schema.START_KEY:
                # A key of its own for every element: what stands in another scope has another one.
                scope.start_key = next(self._start_keys)
            case schema.CHECK_ARGUMENTS | schema.LAUNCHER:
                pass  # `evaluate` checks the arguments of every file, and the runner names itself to every process
            case "push_ros_namespace":
                scope.namespace = _namespace(scope.namespace, expand(attributes["namespace"], lookup))
            case "group":
                # The stock tool reads this attribute as it is written, without substitutions.
                self._run(file, element, scope.copy() if truth(attributes.get("scoped", "true")) else scope, depth)
            case "include":
                included = Path(expand(attributes["file"], lookup))
                assigned = {expand(a.attrib["name"], lookup): a.attrib["value"] for a in element}
                for name, value in assigned.items():
                    # One after the other, so that a value may use the one before it.
                    scope.variables[name] = expand(value, replace(lookup, variables=scope.variables))
                outside, self.declared = self.declared, set()
                self.run_file(included.absolute(), scope, depth=depth + 1)
                require_declared(file, schema.describe(element), assigned, self.declared)
                self.declared |= outside
            case "node":
                self.processes.append(_process(element, scope, lookup))

    def _declare(self, element: Element, scope: _Scope, lookup: Lookup) -> None:
        name = element.attrib["name"]
        self.declared.add(name)
        if name not in scope.variables:
            if "default" not in element.attrib:
                description = element.attrib.get("description", "no description")
                misspelt = "".join(f"; {given}:= is not it" for given in get_close_matches(name, self.given, n=1))
                raise UnsupportedText(f"has no default and was not given; add {name}:=VALUE ({description}){misspelt}")
            scope.variables[name] = expand(element.attrib["default"], lookup)
        choices = [choice.attrib["value"] for choice in element]
        if choices and scope.variables[name] not in choices:
            raise UnsupportedText(f"{scope.variables[name]!r} is not one of {', '.join(choices)}")


def _namespace(outer: str | None, inner: str | None) -> str | None:
    """Return `inner` below `outer`; an absolute `inner` stands for itself."""
    if inner is None:
        return outer
    joined = inner if inner.startswith("/") or not outer else f"{outer.rstrip('/')}/{inner}"
    if not joined.startswith("/"):
        joined = f"/{joined}"
    if joined != "/":
        joined = joined.rstrip("/")
    if not _NAMESPACE.fullmatch(joined):
        raise UnsupportedText(f"{joined!r} is not a namespace; each part is letters, digits and _, no digit first")
    return joined


def _process(element: Element, scope: _Scope, lookup: Lookup) -> Process:
    given = {key: expand(value, lookup) for key, value in element.attrib.items() if key != "args"}
    if "name" in given and not _NODE_NAME.fullmatch(given["name"]):
        raise UnsupportedText(f"{given['name']!r} is not a node name; use letters, digits and _, no digit first")
    if given.get("output", "screen") not in _OUTPUTS:
        raise UnsupportedText(f"output={given['output']!r} is not supported, only {' and '.join(_OUTPUTS)}")
    if element.attrib.get("on_exit", "shutdown") != "shutdown":
        raise UnsupportedText(f"on_exit={element.attrib['on_exit']!r} is not supported, only 'shutdown'")
    additional = {
        expand(child.attrib["name"], lookup): expand(child.attrib["value"], lookup) for child in element.iterfind("env")
    }
    return Process(
        package=given["pkg"],
        executable=given["exec"],
        name=given.get("name"),
        namespace=_namespace(scope.namespace, given.get("namespace")),
        arguments=tuple(expand_words(element.attrib.get("args", ""), lookup)),
        parameters=(*scope.parameters, *_parameters(element, lookup)),
        remappings=tuple(
            (expand(child.attrib["from"], lookup), expand(child.attrib["to"], lookup))
            for child in element.iterfind("remap")
        ),
        environment={**scope.environment, **additional},
        respawn=truth(given.get("respawn", "false")),
        respawn_delay=_delay(element.attrib.get("respawn_delay", "0.0")),
        required="on_exit" in element.attrib,
        start_key=scope.start_key,
    )


def _delay(text: str) -> float:
    try:
        delay = float(text)
    except ValueError:
        delay = -1.0
    if not 0.0 <= delay < float("inf"):
        raise UnsupportedText(f"respawn_delay={text!r} is not a number of seconds, 0 or more")
    return delay


def _parameters(node: Element, lookup: Lookup) -> Iterator[Path | Parameter]:
    for element in node.iterfind("param"):
        if "from" in element.attrib:
            if len(element.attrib) > 1 or len(element):
                raise UnsupportedText('a <param from="..."> can have nothing else')
            path = Path(expand(element.attrib["from"], lookup))
            if not path.is_file():
                raise UnsupportedText(f"the parameter file {path} does not exist")
            yield path
        else:
            yield from _values(element, "", lookup)


def _values(element: Element, prefix: str, lookup: Lookup) -> Iterator[Parameter]:
    if "name" not in element.attrib or "from" in element.attrib:
        raise UnsupportedText('a <param> needs either "name" or "from"')
    name = prefix + expand(element.attrib["name"], lookup)
    value = element.attrib.get("value")
    if (value is None) == (len(element) == 0) or ("type" in element.attrib and value is None):
        raise UnsupportedText(f'the <param name="{name}"> needs either a value or <param>s inside')
    if value is not None:
        yield Parameter(name, parameter_value(value, element.attrib.get("type"), lookup))
    for child in element:
        yield from _values(child, f"{name}.", lookup)
