"""Checks launch files against the supported part of the XML format; everything else is refused."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from privcam_bringup.launching.process_model import LaunchError

CONDITIONS = ("if", "unless")
# Our own elements; the stock tool knows them by privcam_bringup.launch_extension.
START_KEY = "privcam_start_key"
# What these two do in the stock tool, our runner does for every file.
CHECK_ARGUMENTS = "privcam_check_arguments"
LAUNCHER = "privcam_launcher"
OWN = (START_KEY, CHECK_ARGUMENTS, LAUNCHER)
ACTIONS = ("arg", "let", "group", "push_ros_namespace", "include", "node", "set_env", "set_parameter", *OWN)


@dataclass(frozen=True)
class Shape:
    """Attributes and children that an element may have."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    children: tuple[str, ...] = ()


_NAME_VALUE = Shape(required=("name", "value"))
_PARAM = Shape(optional=("name", "value", "type", "from"), children=("param",))
_NODE = Shape(
    required=("pkg", "exec"),
    optional=("name", "namespace", "output", "respawn", "respawn_delay", "args", "on_exit", *CONDITIONS),
    children=("param", "remap", "env"),
)
_ROOT = Shape(children=ACTIONS)

# An <arg> declares in a file and assigns in an <include>: what an element may hold depends on where it stands.
_SHAPES = {
    "arg": Shape(required=("name",), optional=("default", "description", *CONDITIONS), children=("choice",)),
    "include/arg": _NAME_VALUE,
    "choice": Shape(required=("value",)),
    "let": Shape(required=("name", "value"), optional=CONDITIONS),
    "group": Shape(optional=("scoped", *CONDITIONS), children=ACTIONS),
    "push_ros_namespace": Shape(required=("namespace",), optional=CONDITIONS),
    "include": Shape(required=("file",), optional=CONDITIONS, children=("arg",)),
    "node": _NODE,
    "param": _PARAM,
    "remap": Shape(required=("from", "to")),
    "env": _NAME_VALUE,
    "set_env": Shape(required=("name", "value"), optional=CONDITIONS),
    "set_parameter": Shape(required=("name", "value"), optional=CONDITIONS),
    START_KEY: Shape(optional=CONDITIONS),
    CHECK_ARGUMENTS: Shape(),
    LAUNCHER: Shape(),
}


def describe(element: ElementTree.Element) -> str:
    """Return the opening tag, shortened to what tells it from its neighbours."""
    telling = [f' {key}="{element.attrib[key]}"' for key in ("pkg", "exec", "name", "file") if key in element.attrib]
    return f"<{element.tag}{''.join(telling)}>"


def read(file: Path) -> ElementTree.Element:
    """Read a launch file and refuse whatever is not supported.

    Raises LaunchError: the file cannot be read, is not XML, or has an element, attribute or text out of place.
    """
    try:
        root = ElementTree.parse(file).getroot()  # nosec B314: a launch file names programs to run, it is trusted
    except OSError as error:
        raise LaunchError(file, "file", f"cannot be read ({error.strerror}); check the path") from error
    except ElementTree.ParseError as error:
        raise LaunchError(file, "file", f"is not well-formed XML ({error})") from error
    if root.tag != "launch":
        raise LaunchError(file, describe(root), "the outermost element has to be <launch>")
    _check(file, root, _ROOT)
    return root


def _check(file: Path, element: ElementTree.Element, shape: Shape) -> None:
    where = describe(element)
    for name in shape.required:
        if name not in element.attrib:
            raise LaunchError(file, where, f'needs the attribute "{name}"')
    for name in element.attrib:
        if name not in (*shape.required, *shape.optional):
            raise LaunchError(file, where, f'the attribute "{name}" is not supported')
    if all(name in element.attrib for name in CONDITIONS):
        raise LaunchError(file, where, 'cannot have both "if" and "unless"')
    texts = [element.text, *(child.tail for child in element)]
    if any(text and text.strip() for text in texts):
        raise LaunchError(file, where, "text between the tags is not supported")
    for child in element:
        if child.tag not in shape.children:
            raise LaunchError(file, where, f"{describe(child)} is not supported here")
        _check(file, child, _SHAPES.get(f"{element.tag}/{child.tag}", _SHAPES[child.tag]))
