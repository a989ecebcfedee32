"""Message definitions, so that a bag can be read where our packages are not installed."""

from collections.abc import Callable
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore


class UnknownMessage(LookupError):
    """The definition of a message type is not found."""


def package_share(package: str) -> Path:
    """Return the share folder of an installed package. Raises LookupError."""
    return Path(get_package_share_directory(package))


class Definitions:
    """Knows the messages of ROS 2 Jazzy itself, and learns those of other packages from their msg/ folder.

    shares: gives the share folder of a package, or raises LookupError.
    """

    def __init__(self, shares: Callable[[str], Path] = package_share) -> None:
        self._shares = shares
        self._store = get_typestore(Stores.ROS2_JAZZY)

    def store_with(self, msgtype: str) -> Typestore:
        """Return a type store that knows `msgtype`, e.g. privcam_msgs/msg/Omega. Raises UnknownMessage."""
        if msgtype not in self._store.fielddefs:
            self._learn(msgtype.split("/", maxsplit=1)[0])
        if msgtype not in self._store.fielddefs:
            raise UnknownMessage(
                f"no definition of {msgtype}: its package has no such message; build the workspace again"
            )
        return self._store

    def _learn(self, package: str) -> None:
        try:
            folder = self._shares(package) / "msg"
        except LookupError as error:
            raise UnknownMessage(
                f"the package {package} is not installed; build the workspace and source it"
            ) from error
        types = {}
        for file in sorted(folder.glob("*.msg")):
            types.update(get_types_from_msg(file.read_text(encoding="utf-8"), f"{package}/msg/{file.stem}"))
        self._store.register(types)
