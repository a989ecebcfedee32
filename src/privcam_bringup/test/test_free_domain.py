"""Two runs of privcam on one machine never share a ROS domain."""

import os
import subprocess
import sys

import pytest

from privcam_bringup.graph import free_domain

# A process whose number is a whole hundred away from that of the test.
PRINT = """
import os, sys
os.getpid = lambda: int(sys.argv[1])
from privcam_bringup.graph import free_domain
print(free_domain(), flush=True)
input()
"""


def test_runs_whose_process_numbers_are_a_hundred_apart_have_different_domains(monkeypatch: pytest.MonkeyPatch) -> None:
    number = os.getpid()
    ours = free_domain()
    monkeypatch.setattr(os, "getpid", lambda: number + 100)
    second = free_domain()
    command = [sys.executable, "-c", PRINT, str(number + 200)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        theirs = int(other.stdout.readline())
        other.communicate("\n")
    assert len({ours, second, theirs}) == 3
    assert all(1 <= domain <= 100 for domain in (ours, second, theirs))
