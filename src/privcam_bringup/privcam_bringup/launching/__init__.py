"""Reads launch files in XML and runs them where the stock launch tool is not installed."""

from privcam_bringup.launching.graph_environment import graph_environment, shared_memory_warning
from privcam_bringup.launching.launch_command import main, run
from privcam_bringup.launching.parser import Launch, evaluate, parse
from privcam_bringup.launching.process_model import LaunchError, Parameter, Process
from privcam_bringup.launching.runner import Runner

__all__ = [
    "Launch",
    "LaunchError",
    "Parameter",
    "Process",
    "Runner",
    "evaluate",
    "graph_environment",
    "main",
    "parse",
    "run",
    "shared_memory_warning",
]
