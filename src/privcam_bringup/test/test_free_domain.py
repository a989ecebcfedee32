"""Two runs of privcam on one machine never share a ROS domain, nor a port."""

import os
import socket
import subprocess
import sys

from privcam_bringup.graph import free_domain, free_port

# A process whose number is a whole hundred away from that of the test.
PRINT = """
import os, sys
os.getpid = lambda: int(sys.argv[1])
from privcam_bringup.graph import free_domain
print(free_domain(), flush=True)
input()
"""


def test_runs_whose_process_numbers_are_a_hundred_apart_have_different_domains() -> None:
    ours = free_domain()
    assert free_domain() == ours
    commands = [[sys.executable, "-c", PRINT, str(os.getpid() + 100 * k)] for k in (1, 2)]
    others = [subprocess.Popen(one, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for one in commands]
    domains = [ours, *(int(other.stdout.readline()) for other in others if other.stdout is not None)]
    for other in others:
        other.communicate("\n")
    assert len(set(domains)) == 3
    assert all(1 <= domain <= 100 for domain in domains)


def test_port_that_somebody_listens_on_is_left_out() -> None:
    first = free_port(20_000)
    with socket.create_server(("127.0.0.1", first)):
        assert free_port(first) > first
    assert free_port(first) == first
