"""Parameter files of the edge with which a graph delivers Ω on a machine of any speed."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from privcam_bringup.launching.resources import resource

# A raw frame is overwritten after its retention, whether the last node has read it or not. On a machine that needs
# longer for a frame than the default of 1 s, no frame would ever become an Ω; 10 s is the longest that is allowed.
ANY_SPEED: Mapping[str, Mapping[str, object]] = {
    "camera": {"retention_s": 10.0, "in_flight": 1},
    "omega": {"join_timeout_s": 5.0},
}


def write_edge_parameters(folder: Path, **changes: Mapping[str, object]) -> Path:
    """Write the shipped parameters of the edge, with ANY_SPEED and `changes` (node -> parameters), into a folder."""
    parameters = yaml.safe_load(resource("config/edge.param.yaml").read_text(encoding="utf-8"))
    for further in (ANY_SPEED, changes):
        for node, values in further.items():
            parameters[f"/**/{node}"]["ros__parameters"].update(values)
    file = folder / "edge.param.yaml"
    file.write_text(yaml.safe_dump(parameters), encoding="utf-8")
    return file
