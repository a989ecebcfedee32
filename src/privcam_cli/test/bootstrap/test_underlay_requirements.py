"""What is installed on top of a ROS 2 that the user has sourced."""

import os
import sys
from pathlib import Path

from privcam_cli.bootstrap.underlay_requirements import CV_BRIDGE, MODULES, on_top, probe

RUN = 'numpy==2.2.6\n# why\nopencv-python-headless==4.14.0.94\nav==18.1.0; python_version >= "3.11"\nPyYAML==6.0.3\n'


def test_packages_of_a_sourced_ros_are_not_shadowed(tmp_path: Path) -> None:
    (tmp_path / "run.txt").write_text(RUN)
    found = {"numpy": "1.26.4", "cv2": "", "cv_bridge": ""}
    file = on_top(tmp_path / "run.txt", tmp_path / "set-up", found)
    lines = file.read_text().splitlines()
    assert lines == [f"-c {tmp_path}/set-up/constraints.txt", 'av==18.1.0; python_version >= "3.11"', "PyYAML==6.0.3"]
    assert (tmp_path / "set-up/constraints.txt").read_text() == "numpy==1.26.4\n"


def test_what_a_sourced_ros_lacks_fits_to_its_numpy(tmp_path: Path) -> None:
    (tmp_path / "run.txt").write_text(RUN)
    lines = on_top(tmp_path / "run.txt", tmp_path, {"numpy": "1.26.4", "yaml": ""}).read_text().splitlines()
    assert "opencv-python-headless==4.11.0.86" in lines
    assert CV_BRIDGE in lines


def test_probe_finds_what_this_python_has() -> None:
    found = probe(Path(sys.executable), os.environ)
    assert found["numpy"].startswith("2.")
    assert set(found) <= set(MODULES.values())
