from setuptools import find_packages, setup

NAME = "privcam_cloud"
NODES = ("bridge", "inference", "reconstruction", "recorder")

setup(
    name=NAME,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={NAME: ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            *(f"{node}_node = {NAME}.nodes.{node}:main" for node in NODES),
            f"cloud_composed = {NAME}.nodes.composed:main",
        ]
    },
    license="Apache-2.0",
)
