"""A place or an environment that cannot work is refused in one line, before anything is set up or started."""

import subprocess
import sys
from pathlib import Path

import pytest

from privcam_cli.bootstrap.preconditions import RMW_INDEX, Unmet, check_place, check_ros_variables

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("name", "told"),
    [("my cameras", "a blank"), ("büro", "'ü'"), ("监控", "'监'"), ("a'b", '"\'"'), ("a;b$c", "'\\$', ';'")],
)
def test_checkout_where_ros_cannot_build_is_refused_in_the_first_second(name: str, told: str, tmp_path: Path) -> None:
    place = tmp_path / name
    place.mkdir()
    (place / "src").symlink_to(ROOT / "src")
    (place / "privcam").write_bytes((ROOT / "privcam").read_bytes())
    done = subprocess.run([sys.executable, place / "privcam", "setup"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("privcam: ") and done.stderr.count("\n") == 1
    with pytest.raises(Unmet, match=told):
        check_place(place)
    assert not (place / ".venv").exists() and not (place / ".privcam").exists()


@pytest.mark.parametrize("name", ["privcam", "priv-cam_2.0", "a+b@c", "x=1,y%"])
def test_ordinary_place_is_taken(name: str) -> None:
    check_place(Path("/srv/robots") / name)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    for name in ("rmw_fastrtps_cpp", "rmw_implementation"):
        file = tmp_path / "ros" / RMW_INDEX / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return {"HOME": str(tmp_path), "AMENT_PREFIX_PATH": str(tmp_path / "ros")}


def test_middleware_that_is_not_there_is_refused(environment: dict[str, str]) -> None:
    check_ros_variables(environment)
    check_ros_variables({**environment, "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"})
    for wrong in ("rmw_cyclonedds_cpp", "rmw_implementation", "fastrtps"):
        with pytest.raises(Unmet, match=f"RMW_IMPLEMENTATION={wrong}.*only rmw_fastrtps_cpp"):
            check_ros_variables({**environment, "RMW_IMPLEMENTATION": wrong})


@pytest.mark.parametrize("domain", ["seven", "-1", "102", "1.0", "0x1", "٣", "9" * 60])
def test_domain_that_does_not_exist_is_refused(domain: str, environment: dict[str, str]) -> None:
    with pytest.raises(Unmet, match=r"^ROS_DOMAIN_ID=.*is not a number from 0 to 101"):
        check_ros_variables({**environment, "ROS_DOMAIN_ID": domain})
    for good in ("", "0", "101"):
        check_ros_variables({**environment, "ROS_DOMAIN_ID": good})


def test_profile_of_the_middleware_that_is_no_file_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        with pytest.raises(Unmet, match=f"^{name}=.*is not a file"):
            check_ros_variables({**environment, name: str(tmp_path / "none.xml")})


def test_path_that_is_too_long_for_scripts_is_refused() -> None:
    with pytest.raises(Unmet, match="too long"):
        check_place(Path("/srv", "a" * 120, "b" * 120))


@pytest.mark.parametrize("variable", ["ROS_LOG_DIR", "ROS_HOME", "HOME"])
def test_log_folder_that_cannot_be_written_is_refused_by_the_variable(
    variable: str, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "a file"
    file.touch()
    with pytest.raises(Unmet, match=f"^{variable}: .*{file} takes no file: Not a directory"):
        check_ros_variables({**environment, variable: str(file)})
    # The rights of this folder let root write, and nobody can.
    with pytest.raises(Unmet, match=rf"^{variable}: .*\(/proc takes no file: "):
        check_ros_variables({**environment, variable: "/proc"})
    check_ros_variables({**environment, variable: str(tmp_path / "to be made")})
