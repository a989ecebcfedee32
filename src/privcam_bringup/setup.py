from pathlib import Path

from setuptools import find_packages, setup

NAME = "privcam_bringup"
# Launch files and configuration lie at the top of the repository, where a user looks for them. setuptools wants paths
# below this file or relative to it.
TOP = Path("..", "..")


def shared(folder: str, *patterns: str) -> tuple[str, list[str]]:
    """Return one entry of data_files: the files of a top-level folder, for this package's share."""
    return f"share/{NAME}/{folder}", sorted(str(file) for pattern in patterns for file in (TOP / folder).glob(pattern))


setup(
    name=NAME,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={NAME: ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        shared("launch", "*.launch.xml"),
        shared("config", "*.yaml", "*.xml", "*.rviz"),
        shared("config/zenoh", "*.json5"),
    ],
    entry_points={
        "console_scripts": [f"replay = {NAME}.replay_command:main"],
        # The element <privcam_start_key/> for `ros2 launch`.
        "launch.frontend.launch_extension": [f"{NAME} = {NAME}.launch_extension"],
    },
    license="Apache-2.0",
)
