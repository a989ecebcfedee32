"""`./privcam replay BAG`: publishes a recording into the graph with its own timing."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from privcam_bringup.bag_publisher import publish_bag, report
from privcam_bringup.bag_routes import plan
from privcam_bringup.bags.bag_reader import BagReader
from privcam_bringup.bags.storage_file import UnusableBag
from privcam_core.types.identifiers import is_camera_namespace, namespace_error
from privcam_ros.start_key import close_other_start_keys


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Return its exit code."""
    parser = argparse.ArgumentParser(prog="privcam replay", description="Publish a recording with its own timing.")
    parser.add_argument("bag", type=Path, help="rosbag2 bag: its folder, or an .mcap or .db3 file")
    parser.add_argument("--rate", type=_rate, default=1.0, help="speed, 1.0 is as recorded")
    parser.add_argument("--loop", action="store_true", help="begin again at the end, until interrupted")
    parser.add_argument("--camera-id", type=_camera_id, help="default: as recorded, or camera for pictures")
    parser.add_argument("--topic", default="", help="which Ω or pictures, where the bag has several topics of them")
    parser.add_argument(
        "--pictures", choices=("true", "false"), help="whether the graph takes pictures or Ω; default: what the bag has"
    )
    parser.add_argument("--start-paused", choices=("yes", "no"), default="no", help="wait for Enter before the start")
    options, ros_arguments = parser.parse_known_args(argv)
    if ros_arguments and ros_arguments[0] != "--ros-args":  # a launch file appends these; they are for rclpy
        parser.error(f"unknown: {' '.join(ros_arguments)}")
    if ros_arguments:
        close_other_start_keys()
    try:
        with BagReader(options.bag.expanduser()) as reader:
            for remark in reader.remarks:
                report(remark)
            wants_pictures = None if options.pictures is None else options.pictures == "true"
            routes = plan(reader.topics, options.camera_id, options.topic or None, pictures=wants_pictures)
            return publish_bag(
                reader,
                routes,
                rate=options.rate,
                loop=options.loop,
                paused=options.start_paused == "yes",
                ros_arguments=ros_arguments,
            )
    except (UnusableBag, OSError) as error:
        report(f"the bag {options.bag} cannot be replayed: {error}")
    return 1


def _rate(text: str) -> float:
    rate = float(text)
    if not (math.isfinite(rate) and rate > 0.0):
        raise argparse.ArgumentTypeError(f"{text} is not a speed above 0")
    return rate


def _camera_id(text: str) -> str:
    if not is_camera_namespace(text):
        raise argparse.ArgumentTypeError(namespace_error(text))
    return text


if __name__ == "__main__":
    sys.exit(main())
