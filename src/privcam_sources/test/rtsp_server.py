"""A real RTSP server: GStreamer's, out of Debian's packages, which are downloaded and not installed."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType

SCRIPT = Path(__file__).with_name("gstreamer_server.py")
# Other names of a package, in newer releases, after a slash.
PACKAGES = (
    "libgstrtspserver-1.0-0",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-bad",
    "libgstreamer1.0-0/libgstreamer1.0-0t64",
    "libgstreamer-plugins-base1.0-0",
    "libgstreamer-plugins-bad1.0-0",
    "libglib2.0-0/libglib2.0-0t64",
    "liborc-0.4-0/liborc-0.4-0t64",
    "libgudev-1.0-0",
)
# The others need libraries that a camera does not.
PLUGINS = ("coreelements", "mpegtsdemux", "videoparsersbad", "rtp", "rtpmanager", "udp", "tcp", "audiotestsrc", "alaw")
PLUGINS += ("audioconvert", "app", "typefindfunctions")


class NoServer(RuntimeError):
    """The server is not to be had on this machine. The text says why."""


@cache
def installed() -> Path:
    """Return the folder of the unpacked libraries, fetched on first use. Raises NoServer."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise NoServer("GStreamer's RTSP server comes in Debian packages and this is no Debian or Ubuntu")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "privcam/gstreamer"
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as folder:
            _fetch(Path(folder))
            Path(folder, "root").rename(home)
    (library,) = {found.parent for found in home.rglob("libgstrtspserver-1.0.so.0")}
    return library


def _fetch(folder: Path) -> None:
    folder.chmod(0o777)  # apt drops root to download
    for names in PACKAGES:
        attempts = [_run(["apt-get", "-qq", "download", name], folder) for name in names.split("/")]
        if all(attempt.returncode for attempt in attempts):
            raise NoServer(f"apt-get download {names}: {attempts[0].stderr.strip()}")
    for archive in folder.glob("*.deb"):
        unpacked = _run(["dpkg-deb", "-x", str(archive), str(folder / "root")], folder)
        if unpacked.returncode:
            raise NoServer(f"{archive.name}: {unpacked.stderr.strip()}")
    for plugin in (folder / "root").rglob("gstreamer-1.0/*.so"):
        if plugin.stem.removeprefix("libgst") not in PLUGINS:
            plugin.unlink()


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


class RtspServer:
    """Serves pipelines at their paths. pipelines: `/path` -> what gst-launch would take, with an element `pay0`."""

    def __init__(self, pipelines: Mapping[str, str], *, port: int = 0, user: str = "", password: str = "") -> None:
        self._arguments = [str(port), user, password, *(f"{path}={line}" for path, line in pipelines.items())]
        self._process: subprocess.Popen[str] | None = None
        self.port = port

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"rtsp://127.0.0.1:{self.port}"

    def __enter__(self) -> "RtspServer":
        library = installed()
        own = {
            "LD_LIBRARY_PATH": str(library),
            "GST_PLUGIN_SYSTEM_PATH_1_0": str(library / "gstreamer-1.0"),
            "GST_REGISTRY": str(library / "registry.bin"),
            "GST_REGISTRY_FORK": "no",
        }
        command = [sys.executable, "-I", str(SCRIPT), *self._arguments]
        self._process = subprocess.Popen(
            command, env={"PATH": os.environ["PATH"], **own}, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise NoServer("the server did not start; its message is above")
        self.port = int(answer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server without a word to its clients, as a camera that loses its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def camera(film: Path, codec: str = "h264", *, sound: bool = False) -> str:
    """Return the pipeline of a camera that shows a film at its own pace. film: H.264 or H.265 as MPEG-TS."""
    source = f"filesrc location={film} ! tsdemux ! {codec}parse ! identity sync=true"
    picture = f"{source} ! rtp{codec}pay name=pay0 pt=96 config-interval=1"
    silence = " audiotestsrc is-live=true wave=silence ! audioconvert ! alawenc ! rtppcmapay name=pay1 pt=8"
    return f"( {picture}{silence if sound else ''} )"
