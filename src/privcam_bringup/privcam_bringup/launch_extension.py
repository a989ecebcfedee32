"""The launch element <privcam_start_key/> for `ros2 launch`, which finds it by the entry point of this package.

It needs the stock launch tool; nothing else of privcam imports it. `launching/` knows the element by itself.
"""

from typing import Any

from launch import LaunchContext
from launch.action import Action
from launch.frontend import Entity, Parser, expose_action

from privcam_ros.start_key import StartKeyFile


@expose_action("privcam_start_key")
class SetStartKey(Action):  # type: ignore[misc]
    """Makes the key of a start. The processes after it in the same scope inherit it, also when they start again.

    The stock tool starts processes with all inheritable descriptors of its own; the environment names the number.
    """

    @classmethod
    def parse(cls, entity: Entity, parser: Parser) -> tuple[type["SetStartKey"], dict[str, Any]]:
        """Read the element, which has no attributes of its own. The stock tool wants this method in every action."""
        _, arguments = super().parse(entity, parser)
        return cls, arguments

    def execute(self, context: LaunchContext) -> None:
        """Make the key and name its descriptor. It stays open until the launch tool ends."""
        context.environment.update(StartKeyFile().environment)
