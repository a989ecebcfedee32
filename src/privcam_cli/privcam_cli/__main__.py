"""Runs one command in the environment that the set-up made."""

import importlib
import re
import sys

from privcam_core.source_text import SecretInSource, is_url, require_no_secret

# command -> module with `main(argv) -> int`; imported only when asked for, because ROS 2 and the models are not small
COMMANDS = {
    "demo": "privcam_cli.commands.demo",
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
        for word in arguments:
            # Also as NAME:=VALUE and --name=VALUE.
            value = re.sub(r"^(?:\w+:=|--[\w-]+=)", "", word)
            if is_url(value):
                require_no_secret(value)
    except SecretInSource as error:
        print(f"privcam: {error}", file=sys.stderr)
        return 2
    if name not in COMMANDS:
        print(f"privcam: no command {name!r}; there are: {', '.join(COMMANDS)}, setup", file=sys.stderr)
        return 2
    return int(importlib.import_module(COMMANDS[name]).main(arguments) or 0)


if __name__ == "__main__":
    sys.exit(main())
