"""`./privcam test`: lint, types, unit tests, system tests."""

from collections.abc import Sequence

from privcam_cli.developer_tools import run_tool


def main(argv: Sequence[str]) -> int:
    """Forward to tools/run_tests.py; return its exit code."""
    return run_tool("run_tests", argv)
