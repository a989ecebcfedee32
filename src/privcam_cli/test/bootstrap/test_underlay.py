"""Which environments count as a ROS 2 that the user has sourced."""

import sys
from pathlib import Path

import pytest

from privcam_cli.bootstrap.underlay import find_underlay, without_workspace


def install_rclpy(prefix: Path, source: str = "") -> Path:
    """Make a package rclpy below a prefix; return the folder that it lies in."""
    folder = prefix / "lib/python3.12/site-packages"
    (folder / "rclpy").mkdir(parents=True)
    (folder / "rclpy/__init__.py").write_text(source)
    return folder


def environment(prefix: Path, *, distro: str = "jazzy") -> dict[str, str]:
    modules = prefix / "lib/python3.12/site-packages"
    return {"ROS_DISTRO": distro, "AMENT_PREFIX_PATH": str(prefix), "PYTHONPATH": str(modules)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "checkout").mkdir()
    return tmp_path / "checkout"


def test_ros_whose_rclpy_can_be_imported_is_found(root: Path, tmp_path: Path) -> None:
    folder = install_rclpy(tmp_path / "ros")
    assert find_underlay(root, environment(tmp_path / "ros"), sys.executable) == folder


def test_name_of_a_distribution_without_ros_is_no_ros(root: Path) -> None:
    assert find_underlay(root, {"ROS_DISTRO": "jazzy"}, sys.executable) is None
    assert find_underlay(root, {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": "/nowhere"}, sys.executable) is None
    assert find_underlay(root, {}, sys.executable) is None


def test_our_own_environment_and_workspace_are_no_ros(root: Path) -> None:
    for name in (".venv", "install/privcam_cli"):
        install_rclpy(root / name)
        assert find_underlay(root, environment(root / name), sys.executable) is None


def test_another_distribution_is_no_ros_that_we_can_use(root: Path, tmp_path: Path) -> None:
    install_rclpy(tmp_path / "ros")
    assert find_underlay(root, environment(tmp_path / "ros", distro="humble"), sys.executable) is None


def test_ros_that_this_python_cannot_import_is_left_out(root: Path, tmp_path: Path) -> None:
    install_rclpy(tmp_path / "ros", "raise ImportError('made for another Python')")
    assert find_underlay(root, environment(tmp_path / "ros"), sys.executable) is None


def test_import_is_tried_once_for_one_state_of_the_ros(root: Path, tmp_path: Path) -> None:
    count = tmp_path / "count"
    source = f"open({str(count)!r}, 'a').write('x')"
    folder = install_rclpy(tmp_path / "ros", source)
    for _ in range(3):
        assert find_underlay(root, environment(tmp_path / "ros"), sys.executable) == folder
    assert count.read_text() == "x"


def test_own_folders_are_taken_out_of_all_paths(root: Path) -> None:
    given = {"PYTHONPATH": f"{root}/build/a:/opt/ros/b", "LD_LIBRARY_PATH": f"{root}/install/lib", "HOME": "/h"}
    assert without_workspace(root, given) == {"PYTHONPATH": "/opt/ros/b", "HOME": "/h"}
