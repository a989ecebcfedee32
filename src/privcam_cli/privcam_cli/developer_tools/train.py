"""`./privcam train`: trains the networks that privcam ships."""

from collections.abc import Sequence

from privcam_cli.developer_tools import run_tool


def main(argv: Sequence[str]) -> int:
    """Forward to tools/train_networks.py; return its exit code."""
    return run_tool("train_networks", argv)
