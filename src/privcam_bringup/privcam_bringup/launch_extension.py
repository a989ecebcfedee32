"""Our launch elements for `ros2 launch`, which finds them by the entry point of this package.

It needs the stock launch tool; nothing else of privcam imports it. `launching/` knows the elements by itself.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launch import LaunchContext
from launch.action import Action
from launch.frontend import Entity, Parser, expose_action

from privcam_bringup.launching import schema
from privcam_bringup.launching.argument_checks import UnusableArgument, require_given_once, require_usable
from privcam_bringup.launching.parser import evaluate
from privcam_bringup.launching.process_model import LaunchError, UnknownArgument
from privcam_ros.launcher.launcher_watch import LAUNCHER_VARIABLE
from privcam_ros.start_key import StartKeyFile

# Arguments of the stock tool itself, which no launch file declares.
STOCK_ARGUMENTS = ("launch-prefix", "launch-prefix-filter", "sigterm_timeout", "sigkill_timeout", "emulate_tty")


class _PlainAction(Action):  # type: ignore[misc]
    """An element without attributes of its own. The stock tool wants `parse` in every action."""

    @classmethod
    def parse(cls, entity: Entity, parser: Parser) -> tuple[type["_PlainAction"], dict[str, Any]]:
        """Read the element."""
        _, arguments = super().parse(entity, parser)
        return cls, arguments


@expose_action("privcam_start_key")
class SetStartKey(_PlainAction):
    """Makes the key of a start. The processes after it in the same scope inherit it, also when they start again.

    The stock tool starts processes with all inheritable descriptors of its own; the environment names the number.
    """

    def execute(self, context: LaunchContext) -> None:
        """Make the key and name its descriptor. It stays open until the launch tool ends."""
        context.environment.update(StartKeyFile().environment)


@expose_action("privcam_launcher")
class SetLauncher(_PlainAction):
    """Tells the processes after it who launches them. They end when this process ends, in whatever way."""

    def execute(self, context: LaunchContext) -> None:
        """Name this process in the environment."""
        context.environment[LAUNCHER_VARIABLE] = str(os.getpid())


@expose_action("privcam_check_arguments")
class CheckArguments(_PlainAction):
    """Refuses an argument that is misspelt, given twice or cannot be used, before anything starts.

    The stock tool would ignore the first, take the last of the second, and start nodes again and again with the third.
    It stands first in a launch file. What is misspelt is told in the file that was named on the command line: a file
    that includes ours has arguments of its own, which ours do not know.
    """

    def execute(self, context: LaunchContext) -> None:
        """Compare what was given with what the file and its includes declare. Raises RuntimeError."""
        file = Path(context.get_locals_as_dict()["current_launch_file_path"])
        words = [word.split(":=", maxsplit=1) for word in context.argv if ":=" in word]
        try:
            if is_named(file, sys.argv[1:]):
                require_given_once(name for name, _ in words)
                _require_declared(file, {name: value for name, value in words if name not in STOCK_ARGUMENTS})
            # Also what another file that includes this one gives it, which may have arguments of these names itself.
            declared = declared_arguments(file)
            require_usable({name: value for name, value in context.launch_configurations.items() if name in declared})
        except UnusableArgument as error:
            raise RuntimeError(f"privcam: {error}") from error


def _require_declared(file: Path, given: Mapping[str, str]) -> None:
    try:
        evaluate(file, given)
    except UnknownArgument as error:
        raise RuntimeError(f"privcam: {error.reason} (arguments of {file.name})") from error
    except LaunchError:
        # The stock tool reads this file, and knows more than our parser: it judges everything else.
        return


def declared_arguments(file: Path) -> frozenset[str]:
    """Return the names of the arguments that a launch file of ours declares itself."""
    return frozenset(element.attrib["name"] for element in schema.read(file) if element.tag == "arg")


def is_named(file: Path, words: Sequence[str]) -> bool:
    """Return whether a command line names a launch file: by its path, or as `privcam_bringup NAME`."""
    for before, word in zip(("", *words), words, strict=False):
        if ":=" in word or Path(word).name != file.name:
            continue
        if before == "privcam_bringup" or (Path(word).exists() and Path(word).samefile(file)):
            return True
    return False
