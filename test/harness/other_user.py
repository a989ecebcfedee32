"""Another user of the host, who reaches our nodes over UDP alone."""

import os
import re
from pathlib import Path

from privcam_bringup.launching.resources import resource

NOBODY = 65534


def become_nobody() -> None:
    """Become another user for good, as root; without root this process stays who it is."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def forger_environment(folder: Path) -> dict[str, str]:
    """Return the variables with which another user reaches our nodes: over UDP on the loopback, with nothing shared.

    The user's own profile of the middleware has no shared memory, and the range of discovery is not given: with
    LOCALHOST the middleware adds shared memory, which that user may not open, and nothing would arrive.
    """
    text = resource("config/fastdds_shm.xml").read_text(encoding="utf-8")
    without = re.sub(
        r"<transport_descriptor>\s*<transport_id>privcam_shm.*?</transport_descriptor>", "", text, flags=re.S
    )
    assert without != text
    peers = "<initialPeersList><locator><udpv4><address>127.0.0.1</address></udpv4></locator></initialPeersList>"
    without = without.replace("<transport_id>privcam_shm</transport_id>", "").replace("<builtin>", f"<builtin>{peers}")
    profile, log = folder / "udp.xml", folder / "log"
    profile.write_text(without, encoding="utf-8")
    profile.chmod(0o644)
    log.mkdir()
    log.chmod(0o777)
    return {
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(profile),
        "FASTDDS_DEFAULT_PROFILES_FILE": str(profile),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SYSTEM_DEFAULT",
        "ROS_LOG_DIR": str(log),
    }
