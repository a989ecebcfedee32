"""Declares ROS parameters from a frozen dataclass: name, type and default of each field, and its `param()`."""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

T = TypeVar("T")

# Overrides that rclpy reads itself.
RESERVED = ("use_sim_time", "start_type_description_service", "qos_overrides.")


class NoParameterEvents:
    """Stands where rclpy has the publisher of `/parameter_events`, which tells listeners all values at the start."""

    def publish(self, _event: Any) -> None:
        """Publish nothing."""


class ParameterError(ValueError):
    """A parameter has an unknown name or an invalid value. The message names the valid ones."""


@dataclass(frozen=True)
class Rule:
    """Description and valid values of a parameter."""

    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the valid values in words."""
        if self.choices:
            return f"one of {', '.join(choice or 'empty' for choice in self.choices)}"
        if self.low is not None or self.high is not None:
            return f"in [{self.low:g}, {self.high:g}]"
        return "any"


def param(
    default: Any,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a dataclass field as a ROS parameter. Numbers need both `low` and `high`."""
    if isinstance(default, int | float) and not isinstance(default, bool) and (low is None or high is None):
        raise TypeError(f"parameter with default {default!r} ({description}) needs low and high")
    return field(default=default, metadata={"rule": Rule(description, low, high, choices)})


def describe(kind: type) -> list[tuple[str, Any, Rule]]:
    """Return (name, default, rule) of every parameter of a parameters dataclass, in order."""
    return [(f.name, f.default, f.metadata["rule"]) for f in fields(kind) if f.default is not MISSING]


def declare(node: Node, kind: type[T]) -> T:
    """Declare all parameters of `kind` on `node`, read-only, and return them as a value of `kind`.

    Raises ParameterError for a value of the wrong type or out of range.
    """
    values: dict[str, Any] = {}
    known = describe(kind)
    for name, default, rule in known:
        descriptor = ParameterDescriptor(
            description=rule.description, additional_constraints=rule.text(), read_only=True
        )
        if rule.low is not None and rule.high is not None:
            if isinstance(default, float):
                floats = FloatingPointRange(from_value=float(rule.low), to_value=float(rule.high), step=0.0)
                descriptor.floating_point_range = [floats]
            else:
                descriptor.integer_range = [IntegerRange(from_value=int(rule.low), to_value=int(rule.high), step=0)]
        where = f"{node.get_fully_qualified_name()}: parameter {name}"
        try:
            value = node.declare_parameter(name, default, descriptor).value
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            given = node._parameter_overrides.get(name)
            value_given = given.value if given is not None else default
            kind_name = type(default).__name__
            # On a command line, YAML reads 0 as a number unless it is quoted twice.
            hint = f"; write it as {name}:='\"{value_given}\"'" if isinstance(default, str) else ""
            raise ParameterError(
                f"{where} is {value_given!r}; it must be a {kind_name}, {rule.text()}{hint}"
            ) from error
        if rule.choices and value not in rule.choices:
            raise ParameterError(f"{where} is {value!r}; it must be {rule.text()}")
        values[name] = _at_home(value, where)
    return kind(**values)


def _at_home(value: Any, where: str) -> Any:
    """Return a path with the home folder in place of its `~`, any other value as it is: no other text begins so."""
    if not isinstance(value, str) or not value.startswith("~"):
        return value
    try:
        return str(Path(value).expanduser())
    except RuntimeError as error:
        raise ParameterError(f"{where} is {value!r}: {error}") from error


def reject_unknown(nodes: Sequence[Node]) -> None:
    """Raise ParameterError for an override that no node of this process declares.

    A misspelt privacy parameter must stop the process, not be ignored. Nodes of one process share its overrides.
    """
    declared = {name for node in nodes for name in node._parameters}
    for node in nodes:
        unknown = [name for name in node._parameter_overrides if name not in declared and not name.startswith(RESERVED)]
        if unknown:
            raise ParameterError(
                f"{node.get_fully_qualified_name()}: unknown parameter {', '.join(sorted(unknown))}; "
                f"it takes: {', '.join(sorted(node._parameters))}"
            )
