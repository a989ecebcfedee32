from dataclasses import dataclass

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from privcam_ros.parameters import ParameterError, declare, describe, param, reject_unknown


@dataclass(frozen=True)
class Settings:
    score: float = param(0.25, "keep boxes scoring at least this", low=0.0, high=1.0)
    slots: int = param(8, "frames", low=2, high=64)
    mode: str = param("adaptive", "how", choices=("adaptive", "mask_only"))


@pytest.fixture
def make_node():
    context = Context()
    rclpy.init(context=context, domain_id=97)
    nodes = []

    def make(**overrides) -> Node:
        values = [Parameter(name, value=value) for name, value in overrides.items()]
        nodes.append(Node("probe", context=context, parameter_overrides=values))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    context.try_shutdown()


def test_defaults_come_from_the_dataclass(make_node):
    assert declare(make_node(), Settings) == Settings(0.25, 8, "adaptive")


def test_overrides_win(make_node):
    assert declare(make_node(score=0.5, mode="mask_only"), Settings) == Settings(0.5, 8, "mask_only")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("score", 1.5, r"in \[0, 1\]"),
        ("score", "high", "must be a float"),
        ("slots", 1, r"in \[2, 64\]"),
        ("mode", "blur", "one of adaptive, mask_only"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_what_is_right(make_node, name, value, says):
    with pytest.raises(ParameterError, match=f"parameter {name} is {value!r}; .*{says}"):
        declare(make_node(**{name: value}), Settings)


def test_a_misspelt_parameter_stops_the_node(make_node):
    node = make_node(mod="mask_only")
    declare(node, Settings)
    with pytest.raises(ParameterError, match=r"unknown parameter mod; it takes: .*mode"):
        reject_unknown([node])


def test_parameters_cannot_be_changed_while_the_node_runs(make_node):
    node = make_node()
    declare(node, Settings)
    result = node.set_parameters([Parameter("mode", value="mask_only")])[0]
    assert not result.successful
    assert node.get_parameter("mode").value == "adaptive"


def test_a_number_without_a_range_cannot_be_declared():
    with pytest.raises(TypeError, match="needs low and high"):
        param(1.0, "speed")


def test_every_parameter_can_be_described_for_the_documentation():
    assert [name for name, _, _ in describe(Settings)] == ["score", "slots", "mode"]


def test_tilde_is_the_home_folder_also_without_a_shell(make_node, monkeypatch, tmp_path):
    @dataclass(frozen=True)
    class Paths:
        path: str = param("bag", "a folder")

    monkeypatch.setenv("HOME", str(tmp_path))
    assert declare(make_node(path="~/bags"), Paths) == Paths(f"{tmp_path}/bags")
    with pytest.raises(ParameterError, match="parameter path is '~nobody-of-this-name/x'"):
        declare(make_node(path="~nobody-of-this-name/x"), Paths)
