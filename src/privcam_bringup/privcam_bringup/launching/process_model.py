"""What a launch file comes down to: processes with their command lines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

Scalar = bool | int | float | str
ParameterValue = Scalar | list[bool] | list[int] | list[float] | list[str]


class LaunchError(Exception):
    """A launch file cannot be used. Names the file, the element and the reason."""

    def __init__(self, file: Path, element: str, reason: str) -> None:
        super().__init__(f"{file}: {element}: {reason}")
        self.file = file
        self.element = element
        self.reason = reason


class UnknownArgument(LaunchError):
    """Values were given for arguments that the launch file does not declare. The text names the nearest ones."""


@dataclass(frozen=True)
class Parameter:
    """One parameter given in the launch file. `name` has dots where parameters were nested."""

    name: str
    value: ParameterValue


@dataclass(frozen=True)
class Process:
    """One node executable to run.

    name, namespace: None where the launch file leaves the choice to the executable; a namespace begins with "/".
    parameters: files and single values in the order of the launch file; what comes later wins.
    environment: what the launch file sets on top of the environment of the runner.
    respawn_delay: s from the end of the process to its next start, if `respawn`.
    required: the whole launch ends when this process ends (`on_exit="shutdown"`).
    start_key: number of the key of the start that it inherits, one for each `<privcam_start_key/>`; None for none.
    """

    package: str
    executable: str
    name: str | None = None
    namespace: str | None = None
    arguments: tuple[str, ...] = ()
    parameters: tuple[Path | Parameter, ...] = ()
    remappings: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    respawn: bool = False
    respawn_delay: float = 0.0
    required: bool = False
    start_key: int | None = None

    @property
    def label(self) -> str:
        """Short name for log lines."""
        return self.name or self.executable

    def command(self, program: list[str], write_file: Callable[[str], Path]) -> list[str]:
        """Return the argument list that the stock launch tool would run.

        program: the executable, with leading arguments if it needs any. write_file: keeps a text in a new file and
        returns its path; every single parameter goes through a file, as in the stock tool.
        """
        command = [*program, *self.arguments, "--ros-args"]
        if self.name is not None:
            command += ["-r", f"__node:={self.name}"]
        if self.namespace is not None:
            command += ["-r", f"__ns:={self.namespace}"]
        for parameter in self.parameters:
            path = parameter if isinstance(parameter, Path) else write_file(self.parameter_file(parameter))
            command += ["--params-file", str(path)]
        for source, target in self.remappings:
            command += ["-r", f"{source}:={target}"]
        return command

    def parameter_file(self, parameter: Parameter) -> str:
        """Return the text of a parameter file that gives this process one parameter."""
        known = self.name is not None and self.namespace is not None
        node = f"{str(self.namespace).rstrip('/')}/{self.name}" if known else "/**"
        content = {node: {"ros__parameters": {parameter.name: parameter.value}}}
        return str(yaml.dump(content, default_flow_style=False))
