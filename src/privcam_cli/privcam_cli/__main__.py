"""Runs one command in the environment that the set-up made."""

import importlib
import re
import sys
from pathlib import Path

from privcam_core.source_text import require_no_secret_word

# As shells say it: 128 + SIGINT.
INTERRUPTED = 130
# command -> module with `main(argv) -> int`; imported only when asked for, because ROS 2 and the models are not small
COMMANDS = {
    "demo": "privcam_cli.commands.demo",
    "check": "privcam_evaluation.source_check.check_command",
    "test": "privcam_cli.developer_tools.test",
    "bench": "privcam_evaluation.bench.bench_command",
    "audit": "privcam_audit.audit_command",
    "commission": "privcam_cli.commission.commission_command",
    "keys": "privcam_link.certificates.keys_command",
    "survey": "privcam_bringup.survey_command",
    "eval": "privcam_evaluation.recognition.eval_command",
    "train": "privcam_cli.developer_tools.train",
    "launch": "privcam_bringup.launching.launch_command",
    "record": "privcam_cli.commands.record",
    "replay": "privcam_bringup.replay_command",
    "models": "privcam_cli.models.__main__",
}


def main() -> int:
    """Run the command named first on the command line; return its exit code."""
    name, *arguments = sys.argv[1:] or [""]
    try:
        for number, word in enumerate(arguments):
            # Also as NAME:=VALUE and --name=VALUE, where a shell does not know that it is a path.
            value = re.sub(r"^(?:\w+:=|--[\w-]+=)", "", word)
            require_no_secret_word(value)
            if value.startswith("~"):
                arguments[number] = word.removesuffix(value) + _expanded(value)
    except ValueError as error:
        print(f"privcam: {error}", file=sys.stderr)
        return 2
    if name not in COMMANDS:
        print(f"privcam: no command {name!r}; there are: {', '.join(COMMANDS)}, setup", file=sys.stderr)
        return 2
    return int(importlib.import_module(COMMANDS[name]).main(arguments) or 0)


def _expanded(text: str) -> str:
    """Return a path with its home folder. Raises ValueError where there is none."""
    try:
        return str(Path(text).expanduser())
    except RuntimeError as error:
        raise ValueError(f"{text}: there is no user with this home folder") from error


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # Ctrl-C, which the command does not handle itself, or not yet
        sys.exit(INTERRUPTED)
