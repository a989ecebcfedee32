"""Where the demo clip comes from, and that nothing else is taken for it."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from privcam_bringup import demo_clip as clip
from privcam_bringup.demo_clip import ClipError, demo_clip

CONTENT = b"a short film"


def package(folder: Path, member: str, content: bytes) -> Path:
    """Make a Debian package that holds one file."""
    tree = folder / "tree"
    file = tree / member
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    control = tree / "DEBIAN/control"
    control.parent.mkdir()
    control.write_text("Package: opencv-doc\nVersion: 1\nArchitecture: all\nMaintainer: n\nDescription: d\n")
    archive = folder / "opencv-doc_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(tree), str(archive)], check=True)
    return archive


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the place of the clip in an empty cache; the expected hash is that of CONTENT."""
    if not shutil.which("dpkg-deb") or not shutil.which("apt-get"):
        pytest.skip("no Debian tools here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(clip, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    return tmp_path / "cache/privcam/clips/vtest.avi"


def offer(monkeypatch: pytest.MonkeyPatch, archive: Path | None, reason: str = "") -> None:
    """Let apt-get bring this package, or fail for this reason."""

    def apt(_arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
        if archive is not None:
            shutil.copy(archive, folder)
        return subprocess.CompletedProcess([], 0 if archive else 100, "", reason)

    monkeypatch.setattr(clip, "_apt", apt)


def test_clip_is_taken_out_of_the_package_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, package(tmp_path, f"usr/share/doc/opencv-doc/{clip.MEMBER}", CONTENT))
    said: list[str] = []
    assert demo_clip(said.append) == cache
    assert cache.read_bytes() == CONTENT
    assert "not installed" in said[0]
    offer(monkeypatch, None)
    assert demo_clip(said.append) == cache
    assert len(said) == 1


def test_clip_with_a_wrong_hash_is_named_and_not_kept(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, package(tmp_path, f"usr/share/doc/opencv-doc/{clip.MEMBER}", b"another film"))
    with pytest.raises(ClipError) as raised:
        demo_clip(lambda _: None)
    text = str(raised.value)
    assert clip.MEMBER in text
    assert f"has SHA-256 {hashlib.sha256(b'another film').hexdigest()}" in text
    assert f"expected {clip.SHA256}" in text
    assert "--source FILE" in text
    assert not cache.exists()


def test_damaged_clip_in_the_cache_is_fetched_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, package(tmp_path, f"usr/share/doc/opencv-doc/{clip.MEMBER}", CONTENT))
    cache.parent.mkdir(parents=True)
    cache.write_bytes(CONTENT[:-1])
    demo_clip(lambda _: None)
    assert cache.read_bytes() == CONTENT


def test_package_without_the_clip_is_named(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, package(tmp_path, "usr/share/doc/opencv-doc/readme", b"text"))
    with pytest.raises(ClipError, match=r"opencv-doc_1_all\.deb holds no data/vtest\.avi; use --source FILE"):
        demo_clip(lambda _: None)
    assert not cache.exists()


def test_package_that_cannot_be_had_is_explained(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, None, "E: Unable to locate package opencv-doc")
    with pytest.raises(ClipError, match=r"Unable to locate package opencv-doc\. Use --source FILE"):
        demo_clip(lambda _: None)
    assert not cache.exists()


def test_machine_without_debian_tools_is_told_to_bring_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClipError, match="no Debian or Ubuntu; use --source FILE"):
        demo_clip(lambda _: None)
