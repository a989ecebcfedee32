"""The parser against command lines written by hand from the rules of the stock launch tool."""

from pathlib import Path

import pytest
import yaml

from privcam_bringup.launching import LaunchError, Parameter, evaluate
from privcam_bringup.launching.process_model import Process

REPOSITORY = Path(__file__).resolve().parents[3]


def launch(tmp_path: Path, body: str, environment: dict[str, str] | None = None, **arguments: str) -> list[Process]:
    file = tmp_path / "test.launch.xml"
    file.write_text(f"<launch>{body}</launch>")
    return evaluate(
        file, arguments, environment=environment or {}, shares=lambda package: Path("/opt") / package
    ).processes


def refusal(tmp_path: Path, body: str, **arguments: str) -> LaunchError:
    with pytest.raises(LaunchError) as raised:
        launch(tmp_path, body, **arguments)
    assert raised.value.file == tmp_path / "test.launch.xml"
    return raised.value


def command(process: Process) -> list[str]:
    """The command line, each parameter file shown by its content."""
    return process.command([f"{process.package}/{process.executable}"], lambda text: Path(str(yaml.safe_load(text))))


def test_command_line_is_the_one_of_the_stock_tool(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("{}")
    body = """
      <arg name="id" default="room1"/>
      <group>
        <push_ros_namespace namespace="$(var id)"/>
        <node pkg="p" exec="e" name="n" namespace="cloud" args="--a $(var id)x y" output="screen">
          <param from="$(dirname)/p.yaml"/>
          <param name="id" value="$(var id)" type="str"/>
          <param name="a"><param name="b" value="1.5"/></param>
          <remap from="in" to="/$(var id)/out"/>
        </node>
      </group>"""
    (process,) = launch(tmp_path, body)
    assert command(process) == [
        *("p/e", "--a", "room1x", "y", "--ros-args", "-r", "__node:=n", "-r", "__ns:=/room1/cloud"),
        *("--params-file", f"{tmp_path}/p.yaml"),
        *("--params-file", "{'/room1/cloud/n': {'ros__parameters': {'id': 'room1'}}}"),
        *("--params-file", "{'/room1/cloud/n': {'ros__parameters': {'a.b': 1.5}}}"),
        *("-r", "in:=/room1/out"),
    ]


def test_node_without_a_name_gets_its_parameters_for_every_node_inside(tmp_path: Path) -> None:
    (process,) = launch(tmp_path, '<node pkg="p" exec="e"><param name="x" value="true"/></node>')
    assert command(process) == ["p/e", "--ros-args", "--params-file", "{'/**': {'ros__parameters': {'x': True}}}"]


@pytest.mark.parametrize(
    ("pushed", "own", "expected"),
    [
        ([], None, None),
        ([], "a", "/a"),
        (["a"], None, "/a"),
        (["a", "b"], None, "/a/b"),
        (["a"], "b", "/a/b"),
        (["a"], "/b", "/b"),
        (["a", "/b"], "c", "/b/c"),
        (["/"], "a", "/a"),
        (["a/"], "b/", "/a/b"),
    ],
)
def test_namespaces_join_as_in_the_stock_tool(
    tmp_path: Path, pushed: list[str], own: str | None, expected: str | None
) -> None:
    pushes = "".join(f'<push_ros_namespace namespace="{name}"/>' for name in pushed)
    attribute = "" if own is None else f'namespace="{own}"'
    (process,) = launch(tmp_path, f'{pushes}<node pkg="p" exec="e" {attribute}/>')
    assert process.namespace == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('value="5"', 5),
        ('value="5.0"', 5.0),
        ('value="yes"', True),
        ('value="word"', "word"),
        ("value=\"'5'\"", "5"),
        ('value="5" type="str"', "5"),
        ('value="" type="str"', ""),
        ('value="5" type="float"', 5.0),
        ('value="[1, 2]"', [1, 2]),
        ('value="$(var five)"', 5),
        ('value="$(var five)" type="str"', "5"),
        ('value="$(var five).5"', 5.5),
        ('value="$(var five)" type="int"', 5),
    ],
)
def test_parameter_values_are_typed_as_in_the_stock_tool(tmp_path: Path, attributes: str, expected: object) -> None:
    body = f'<arg name="five" default="5"/><node pkg="p" exec="e"><param name="x" {attributes}/></node>'
    (process,) = launch(tmp_path, body)
    (parameter,) = process.parameters
    assert isinstance(parameter, Parameter)
    assert parameter.value == expected
    assert type(parameter.value) is type(expected)


@pytest.mark.parametrize(
    "attributes",
    ['value=""', 'value="[1, a]"', 'value="a: b"', 'value="[]"', 'value="1" type="bool"', 'value="x" type="int"',
     'value="1" type="list_of_int"', 'type="str"', 'value="[$(dirname)]"', 'value="1" from="x"'],
)  # fmt: skip
def test_parameter_that_the_stock_tool_or_we_cannot_take_is_refused(tmp_path: Path, attributes: str) -> None:
    error = refusal(tmp_path, f'<node pkg="p" exec="e"><param name="x" {attributes}/></node>')
    assert error.element == '<node pkg="p" exec="e">'


def test_missing_parameter_file_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, '<node pkg="p" exec="e"><param from="$(dirname)/none.yaml"/></node>')
    assert "none.yaml does not exist" in error.reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(var x)", "1 2"),
        ("a$(var x)b", "a1 2b"),
        ("$(var $(var name))", "1 2"),
        ("$(env HOME)", "/home/me"),
        ("$(env NONE none)", "none"),
        ("$(env NONE $(env HOME)/y)", "/home/me/y"),
        ("$(find-pkg-share p)/q", "/opt/p/q"),
        ("(plain) 'text'", "(plain) 'text'"),
        ("$(not-equals $(var name) off)", "true"),
        ("$(not-equals off off)", "false"),
    ],
)
def test_substitutions(tmp_path: Path, text: str, expected: str) -> None:
    body = f"""
      <arg name="x" default="1 2"/><let name="name" value="x"/>
      <node pkg="p" exec="e"><param name="v" value="{text}" type="str"/></node>"""
    (process,) = launch(tmp_path, body, {"HOME": "/home/me"})
    assert process.parameters == (Parameter("v", expected),)


@pytest.mark.parametrize(
    "text",
    ["$(eval 1)", "$(var)", "$(var none)", "$(env NONE)", "$(var x", "$(var  x)", "$5", r"\$(var x)", "$(var 'x')",
     "$()", "$(dirname x)", "$(not-equals 1 1.0)", "$(not-equals true 1)", "$(command ls)"],
)  # fmt: skip
def test_unsupported_substitution_is_refused(tmp_path: Path, text: str) -> None:
    error = refusal(tmp_path, f'<let name="x" value="y"/><let name="z" value="{text}"/>')
    assert error.element == '<let name="z">'


@pytest.mark.parametrize(
    ("body", "element"),
    [
        ("<executable cmd='ls'/>", "<launch>"),
        ("<set_remap from='a' to='b'/>", "<launch>"),
        ("<push-ros-namespace namespace='a'/>", "<launch>"),
        ("<set_parameter name='a' value='b' from='c'/>", '<set_parameter name="a">'),
        ("<timer period='1'/>", "<launch>"),
        ("<group><unset_env name='a'/></group>", "<group>"),
        ("<group if='false'><shutdown/></group>", "<group>"),
        ("<group forwarding='false'/>", "<group>"),
        ("<node pkg='p'/>", '<node pkg="p">'),
        ("<node exec='e'/>", '<node exec="e">'),
        ("<node pkg='p' exec='e' launch-prefix='gdb'/>", '<node pkg="p" exec="e">'),
        ("<node pkg='p' exec='e' ros_args='--log-level debug'/>", '<node pkg="p" exec="e">'),
        ("<node pkg='p' exec='e' output='log'/>", '<node pkg="p" exec="e">'),
        ("<node pkg='p' exec='e' on_exit='restart'/>", '<node pkg="p" exec="e">'),
        ("<node pkg='p' exec='e' respawn='maybe'/>", '<node pkg="p" exec="e">'),
        ("<node pkg='p' exec='e' respawn_delay='-1'/>", '<node pkg="p" exec="e">'),
        ("<node pkg='p' exec='e' respawn_delay='nan'/>", '<node pkg="p" exec="e">'),
        ("<node pkg='p' exec='e' name='1n'/>", '<node pkg="p" exec="e" name="1n">'),
        ("<node pkg='p' exec='e' namespace='1n'/>", '<node pkg="p" exec="e">'),
        ("<node pkg='p' exec='e' args=\"'a b'\"/>", '<node pkg="p" exec="e">'),
        ("<node pkg='p' exec='e' if='true' unless='true'/>", '<node pkg="p" exec="e">'),
        ("<node pkg='p' exec='e' if='perhaps'/>", '<node pkg="p" exec="e">'),
        ("<node pkg='p' exec='e'>text</node>", '<node pkg="p" exec="e">'),
        ("<node pkg='p' exec='e'><node pkg='p' exec='e'/></node>", '<node pkg="p" exec="e">'),
        ("<push_ros_namespace namespace='2a'/>", "<push_ros_namespace>"),
        ("<arg name='a'/>", '<arg name="a">'),
        ("<arg name='a' default='1'><choice value='2'/></arg>", '<arg name="a">'),
        ("<arg name='a' value='1'/>", '<arg name="a">'),
        ("<include file='x'><let name='a' value='b'/></include>", '<include file="x">'),
        ("<let name='a'/>", '<let name="a">'),
    ],
)
def test_everything_else_is_refused_with_the_element_named(tmp_path: Path, body: str, element: str) -> None:
    assert refusal(tmp_path, body).element == element


@pytest.mark.parametrize("text", ["", "<launch>", "<node pkg='p' exec='e'/>"])
def test_file_that_is_no_launch_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.launch.xml"
    file.write_text(text)
    with pytest.raises(LaunchError, match=r"broken\.launch\.xml"):
        evaluate(file, {})
    with pytest.raises(LaunchError, match="check the path"):
        evaluate(tmp_path / "missing.launch.xml", {})


def test_argument_that_no_file_declares_is_refused(tmp_path: Path) -> None:
    assert "extra not declared; known: a" in refusal(tmp_path, '<arg name="a" default=""/>', extra="1").reason


def test_given_argument_wins_over_default_and_has_to_be_a_choice(tmp_path: Path) -> None:
    body = """<arg name="a" default="x"><choice value="x"/><choice value="y"/></arg>
              <node pkg="p" exec="$(var a)"/>"""
    assert [p.executable for p in launch(tmp_path, body)] == ["x"]
    assert [p.executable for p in launch(tmp_path, body, a="y")] == ["y"]
    assert "not one of x, y" in refusal(tmp_path, body, a="z").reason


def test_included_file_gets_arguments_and_leaves_its_variables_behind(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "inner.launch.xml").write_text(
        '<launch><arg name="a"/><arg name="b" default="inner"/><node pkg="$(var a)" exec="$(dirname)"/></launch>'
    )
    include = '<include file="$(dirname)/sub/inner.launch.xml"><arg name="a" value="given"/></include>'
    inner, after = launch(tmp_path, f'{include}<node pkg="$(var b)" exec="$(dirname)"/>')
    assert (inner.package, inner.executable) == ("given", str(tmp_path / "sub"))
    assert (after.package, after.executable) == ("inner", str(tmp_path))
    assert "$(var b)" in refusal(tmp_path, f'<group>{include}</group><node pkg="$(var b)" exec="e"/>').reason


def test_file_that_includes_itself_is_refused(tmp_path: Path) -> None:
    assert "includes itself" in refusal(tmp_path, '<include file="$(dirname)/test.launch.xml"/>').reason


def test_group_gives_variables_namespace_and_environment_back(tmp_path: Path) -> None:
    changes = '<let name="v" value="2"/><set_env name="E" value="$(var v)"/><push_ros_namespace namespace="b"/>'
    node = '<node pkg="p" exec="e$(var v)"><env name="F" value="3"/></node>'
    inside, outside = launch(tmp_path, f'<let name="v" value="1"/><group>{changes}{node}</group>{node}')
    assert (inside.executable, inside.namespace, inside.environment) == ("e2", "/b", {"E": "2", "F": "3"})
    assert (outside.executable, outside.namespace, outside.environment) == ("e1", None, {"F": "3"})
    kept = launch(tmp_path, f'<group scoped="false">{changes}</group>{node}')
    assert (kept[0].executable, kept[0].namespace) == ("e2", "/b")


def test_parameter_for_all_goes_to_the_nodes_after_it_and_their_own_wins(tmp_path: Path) -> None:
    node = '<node pkg="p" exec="e"><param name="a" value="3"/></node>'
    text = f'<set_parameter name="a" value="2"/>{node}<group><set_parameter name="b" value="true"/>{node}</group>{node}'
    parameters = [process.parameters for process in launch(tmp_path, f"{node}{text}")]
    a, own, b = Parameter("a", 2), Parameter("a", 3), Parameter("b", True)
    assert parameters == [(own,), (a, own), (a, b, own), (a, own)]


def test_conditions(tmp_path: Path) -> None:
    nodes = "".join(f'<node pkg="p" exec="e" name="n{i}" {c}/>' for i, c in enumerate(
        ['if="true"', 'if="0"', 'unless="False"', 'unless="1"', 'if="$(var on)"', 'unless="$(var on)"']))  # fmt: skip
    assert [p.name for p in launch(tmp_path, f'<arg name="on"/>{nodes}', on="True")] == ["n0", "n2", "n4"]


def test_restart_and_requirement(tmp_path: Path) -> None:
    restarted, required = launch(
        tmp_path,
        '<node pkg="p" exec="e" respawn="true" respawn_delay="1.5"/><node pkg="p" exec="e" on_exit="shutdown"/>',
    )
    assert (restarted.respawn, restarted.respawn_delay, restarted.required) == (True, 1.5, False)
    assert (required.respawn, required.required) == (False, True)


EDGE = ["camera", "detector", "tracker", "pose", "eraser", "composer", "embedder", "omega", "bridge"]
CLOUD = ["cloud_bridge", "inference", "reconstruction"]


def shipped(name: str, **arguments: str) -> list[Process]:
    return evaluate(REPOSITORY / "launch" / f"{name}.launch.xml", arguments, environment={}).processes


def test_edge_launch_runs_one_process_per_node_in_the_namespace_of_its_camera() -> None:
    processes = shipped("edge", camera_id="room1", source="7")
    assert [p.name for p in processes] == EDGE
    assert {p.namespace for p in processes} == {"/room1"}
    assert all(p.respawn and p.respawn_delay == 0.5 for p in processes)
    assert Parameter("source", "7") in processes[0].parameters


def test_cloud_launch_records_only_when_asked() -> None:
    assert [p.name for p in shipped("cloud")] == CLOUD
    processes = shipped("cloud", camera_id="room1", record="/data/bag")
    assert [p.name for p in processes] == [*CLOUD, "recorder"]
    assert {p.namespace for p in processes} == {"/room1/cloud"}
    assert Parameter("path", "/data/bag") in processes[-1].parameters


def test_demo_launch_ends_with_its_camera_and_keeps_the_parameter_files_apart() -> None:
    processes = shipped("demo", source="clip.avi")
    assert [p.name for p in processes] == [*CLOUD, *EDGE]
    assert [p.name for p in processes if p.required] == ["camera"]
    assert not any(p.respawn for p in processes)
    files = {p.package: {f.name for f in p.parameters if isinstance(f, Path)} for p in processes}
    assert files == {"privcam_cloud": {"cloud.param.yaml"}, "privcam_edge": {"edge.param.yaml"}}


@pytest.mark.parametrize("composed", ["true", "false"])
@pytest.mark.parametrize(("name", "evidence"), [("edge", "commissioned"), ("demo", "transit")])
def test_what_may_confirm_background_is_chosen_at_the_launch(name: str, evidence: str, composed: str) -> None:
    processes = shipped(name, source="0", composed=composed)
    given = [process for process in processes if Parameter("evidence", evidence) in process.parameters]
    assert [process.executable for process in given] == ["edge_composed" if composed == "true" else "eraser_node"]


@pytest.mark.parametrize(("name", "programs"), [
    ("edge", ["edge_composed"]), ("cloud", ["cloud_composed"]), ("demo", ["cloud_composed", "edge_composed"])],
)  # fmt: skip
def test_composed_runs_one_process_per_side(name: str, programs: list[str]) -> None:
    arguments = {"source": "0"} if name == "demo" else {}
    assert [p.executable for p in shipped(name, composed="true", **arguments)] == programs


@pytest.mark.parametrize(("name", "arguments", "cameras"), [
    ("cloud", {"camera_id": "room1"}, "room1"), ("site", {"cameras": "room1 room2"}, "room1 room2"),
    ("demo", {"source": "0", "camera_id": "room1"}, "room1"), ("replay", {"bag": "b", "camera_id": "room1"}, "room1"),
])  # fmt: skip
def test_console_starts_where_it_is_asked_for_with_the_key_of_the_cloud(
    name: str, arguments: dict[str, str], cameras: str
) -> None:
    processes = shipped(name, console="true", console_port="8500", **arguments)
    (console,) = [process for process in processes if process.package == "privcam_console"]
    assert {Parameter("cameras", cameras), Parameter("port", 8500)} <= set(console.parameters)
    assert {process.start_key for process in processes if process.package == "privcam_cloud"} == {console.start_key}
    assert console.start_key is not None
    assert "privcam_console" not in {process.package for process in shipped(name, **arguments)}


def test_replay_launch_adds_the_edge_for_pictures() -> None:
    assert [p.name for p in shipped("replay", bag="b")] == ["inference", "reconstruction", "replay"]
    processes = shipped("replay", bag="my bag", pictures="true", loop="true")
    assert [p.name for p in processes] == [*CLOUD, *EDGE, "replay"]
    words = ("--camera-id", "camera", "--rate", "1.0", "--pictures", "true", "--topic=", "--loop")
    assert processes[-1].arguments == ("my bag", *words)
    assert processes[-1].required


@pytest.mark.parametrize("composed", ["true", "false"])
def test_replay_says_that_it_is_one_and_only_there_and_in_a_demo_its_events_are_reported(composed: str) -> None:
    def camera_and_inference(name: str, **arguments: str) -> set[Parameter | Path]:
        found = {parameter for process in shipped(name, **arguments) for parameter in process.parameters}
        return found & {Parameter(key, value) for key in ("replay", "replay_events") for value in (True, False)}

    assert camera_and_inference("edge", composed=composed) == {Parameter("replay", False)}
    assert camera_and_inference("cloud", composed=composed) == {Parameter("replay_events", False)}
    demo = camera_and_inference("demo", source="0", composed=composed)
    assert demo == {Parameter("replay", False), Parameter("replay_events", True)}
    assert camera_and_inference("replay", bag="b") == {Parameter("replay_events", True)}
    pictures = camera_and_inference("replay", bag="b", pictures="true")
    assert pictures == {Parameter("replay", True), Parameter("replay_events", True)}


@pytest.mark.parametrize("wanted", [True, False])
def test_simulated_time_is_for_every_process(wanted: bool) -> None:
    value = {"use_sim_time": str(wanted).lower()}
    for name, arguments in {
        "edge": {},
        "cloud": {"record": "x"},
        "site": {"cameras": "a b"},
        "gateway": {"cameras": "a"},
    }.items():
        for process in shipped(name, **arguments, **value):
            assert Parameter("use_sim_time", wanted) in process.parameters


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ("{n}<privcam_start_key/>{n}{n}", [None, 0, 0]),
        ("<group><privcam_start_key/>{n}</group>{n}", [0, None]),
        ("<group><privcam_start_key/>{n}</group><group><privcam_start_key/>{n}</group>", [0, 1]),
        ("<privcam_start_key/>{n}<group>{n}<privcam_start_key/>{n}</group>{n}", [0, 0, 1, 0]),
        ("<group scoped='false'><privcam_start_key/></group>{n}", [0]),
    ],
)
def test_each_start_key_element_has_its_own_key_within_its_scope(
    tmp_path: Path, body: str, keys: list[int | None]
) -> None:
    processes = launch(tmp_path, body.format(n='<node pkg="p" exec="e"/>'))
    assert [process.start_key for process in processes] == keys


def test_every_cloud_process_can_tell_what_is_live() -> None:
    for name, arguments in {"cloud": {}, "site": {"cameras": "a b"}, "replay": {"bag": "b"}}.items():
        for process in shipped(name, **arguments):
            assert process.start_key is not None or process.package != "privcam_cloud"


def test_every_shipped_process_keeps_ros_on_this_host() -> None:
    several = {"cameras": "a b"}
    for name, arguments in {
        "edge": {},
        "cloud": {},
        "demo": {"source": "0"},
        "replay": {"bag": "b"},
        "site": several,
        "gateway": several,
    }.items():
        for process in shipped(name, **arguments):
            assert process.environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
            assert Path(process.environment["FASTRTPS_DEFAULT_PROFILES_FILE"]).is_file()


@pytest.mark.parametrize("side", ["edge", "cloud"])
def test_parameter_files_name_nodes_that_the_launch_file_starts(side: str) -> None:
    text = (REPOSITORY / "config" / f"{side}.param.yaml").read_text()
    names = {p.name for p in shipped(side, **({"record": "x"} if side == "cloud" else {}))}
    for node, content in yaml.safe_load(text).items():
        assert node == "/**" or node.removeprefix("/**/") in names
        assert content["ros__parameters"]
