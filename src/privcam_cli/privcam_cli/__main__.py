"""Runs one command in the environment that the set-up made."""

import importlib
import sys

# command -> module with `main(argv) -> int`; imported only when asked for, because ROS 2 and the models are not small
COMMANDS = {
    "demo": "privcam_cli.demo",
    "test": "privcam_cli.testing",
    "bench": "privcam_cli.bench.command",
    "audit": "privcam_cli.audit.command",
    "commission": "privcam_cli.commission",
    "keys": "privcam_cli.keys",
    "survey": "privcam_cli.survey",
    "eval": "privcam_cli.evaluation.command",
    "train": "privcam_cli.training",
    "launch": "privcam_cli.launching.command",
    "replay": "privcam_cli.replay",
    "models": "privcam_core.models.__main__",
}


def main() -> int:
    """Run the command named first on the command line; return its exit code."""
    name, *arguments = sys.argv[1:] or [""]
    if name not in COMMANDS:
        print(f"privcam: no command {name!r}; there are: {', '.join(COMMANDS)}, setup", file=sys.stderr)
        return 2
    return int(importlib.import_module(COMMANDS[name]).main(arguments) or 0)


if __name__ == "__main__":
    sys.exit(main())
