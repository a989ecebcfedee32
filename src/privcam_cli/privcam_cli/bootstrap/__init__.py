"""Brings a fresh machine to a running command. Uses the standard library alone."""

import os
import sys
from pathlib import Path

from privcam_cli.bootstrap.preconditions import Unmet, check_place, check_ros_variables
from privcam_cli.bootstrap.setup_environment import command_line
from privcam_cli.bootstrap.setup_steps import SetupError
from privcam_cli.bootstrap.setup_workspace import prepare

# Commands that start nodes.
ROS_COMMANDS = frozenset({"demo", "test", "bench", "survey", "launch", "record", "replay"})

USAGE = """usage: ./privcam COMMAND [options]     (./privcam COMMAND --help tells more)

  demo      run edge and cloud on real video, leave a picture, a video, an Ω bag and a summary in out/demo
  check     open a camera, stream or file, and say whether it can be used
  test      lint, type check, unit tests, system tests
  bench     measure speed, latency, bits and load; writes bench.json and a plot
  audit     attack what leaves the edge and measure the result: report, plots, report.json
  commission  make and approve the plate of an empty room, for mode locked
  keys      make, renew and revoke the certificates of cameras, clouds and viewers
  survey    run the edge over a folder of clips and print a table of what it did
  eval      measure recognition on labelled clips; writes eval.json, a table and plots
  train     train the models that privcam ships; --quick shows that it works
  launch    run a launch file (launch/edge.launch.xml, cloud.launch.xml, ...)
  record    run the cloud side and record what it receives and makes into a bag
  replay    publish a recorded bag into the graph
  models    fetch, verify and import the default models
  setup     only set up (every other command does it when needed)
"""


def main(root: Path, arguments: list[str]) -> int:
    """Set up what is missing and replace this process by the command. Returns only on errors, help or `setup`."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE)
        return 0 if arguments else 2
    command = arguments[0]
    try:
        check_place(root)
        sourced = prepare(
            root,
            with_models=command != "models",
            with_tools=command in ("test", "train"),
            may_change_ros=command == "setup",
        )
    except Unmet as error:
        print(f"privcam: {error}", file=sys.stderr)
        return 1
    except SetupError as error:
        print(f"privcam: set-up stopped: {error}", file=sys.stderr)
        return 1
    if command == "setup":
        return 0
    argv, environment = command_line(root, ["-m", "privcam_cli", *arguments], sourced=sourced)
    try:
        if command in ROS_COMMANDS:
            check_ros_variables(environment)
    except Unmet as error:
        print(f"privcam: {error}", file=sys.stderr)
        return 1
    sys.stdout.flush()
    return os.execve(argv[0], argv, environment)
