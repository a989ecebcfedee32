"""The key of one start: it is inherited by descriptor, and nothing else gives it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from privcam_ros.start_key import DESCRIPTOR_VARIABLE, KEY_BYTES, StartKey, StartKeyError, StartKeyFile

PRINT_KEY = "from privcam_ros.start_key import StartKey; print(StartKey.inherited().derive('p').hex())"


@pytest.fixture
def file() -> Iterator[StartKeyFile]:
    file = StartKeyFile()
    yield file
    file.close()


def test_child_derives_the_key_of_its_launcher(file: StartKeyFile) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_KEY],
        env={**os.environ, **file.environment},
        pass_fds=[file.descriptor],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == file.key.derive("p").hex()


def test_process_may_ask_for_its_key_often_and_does_not_hand_it_on(
    file: StartKeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DESCRIPTOR_VARIABLE, str(file.descriptor))
    assert os.get_inheritable(file.descriptor)
    assert StartKey.inherited().derive("p") == StartKey.inherited().derive("p") == file.key.derive("p")
    assert not os.get_inheritable(file.descriptor)


def test_keys_of_other_purposes_and_other_starts_are_others(file: StartKeyFile) -> None:
    other = StartKeyFile()
    keys = [file.key.derive("p"), file.key.derive("q"), other.key.derive("p"), StartKey.public().derive("p")]
    other.close()
    assert len(set(keys)) == len(keys)
    assert {len(key) for key in keys} == {KEY_BYTES}


def test_process_without_launcher_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DESCRIPTOR_VARIABLE, raising=False)
    with pytest.raises(StartKeyError, match="no key of this start: start the nodes with"):
        StartKey.inherited()


@pytest.mark.parametrize("text", ["999", "-1", "one", "9" * 40])
def test_number_that_is_no_descriptor_is_refused_by_name(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DESCRIPTOR_VARIABLE, text)
    with pytest.raises(StartKeyError, match=f"{DESCRIPTOR_VARIABLE}={text}"):
        StartKey.inherited()


def test_ordinary_file_and_memory_that_can_still_be_written_are_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsealed = os.memfd_create("open", os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile(dir=tmp_path) as plain:
        for descriptor in (plain.fileno(), unsealed):
            os.write(descriptor, os.urandom(KEY_BYTES))
            monkeypatch.setenv(DESCRIPTOR_VARIABLE, str(descriptor))
            with pytest.raises(StartKeyError):
                StartKey.inherited()
    os.close(unsealed)


def test_key_file_cannot_be_changed_by_whoever_has_it(file: StartKeyFile) -> None:
    with pytest.raises(PermissionError):
        os.pwrite(file.descriptor, bytes(KEY_BYTES), 0)
    with pytest.raises(PermissionError):
        os.ftruncate(file.descriptor, 0)
    assert os.fstat(file.descriptor).st_mode & 0o777 == 0o400


def test_key_is_in_no_text(file: StartKeyFile) -> None:
    secret = os.pread(file.descriptor, KEY_BYTES, 0)
    assert secret.hex() not in repr(vars(file)) and secret.hex() not in repr(file.key)
    assert repr(secret)[2:-1] not in repr(vars(file))
    assert repr(file.key) == "StartKey(secret)"


@pytest.mark.parametrize("keyed", [True, False])
def test_process_that_got_keys_of_others_too_closes_them(file: StartKeyFile, keyed: bool) -> None:
    """As the stock launch tool hands them on: all descriptors to every process."""
    code = f"""
import os
from privcam_ros.start_key import close_other_start_keys
close_other_start_keys()
held = [n for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{{n}}')]
print([n for n in held if 'privcam_start_key' in os.readlink(f'/proc/self/fd/{{n}}')])
{PRINT_KEY if keyed else ""}"""
    other = StartKeyFile()
    environment = {name: value for name, value in os.environ.items() if name != DESCRIPTOR_VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | (dict(file.environment) if keyed else {}),
        pass_fds=[file.descriptor, other.descriptor],
        capture_output=True,
        text=True,
        check=True,
    )
    other.close()
    expected = [f"['{file.descriptor}']", file.key.derive("p").hex()] if keyed else ["[]"]
    assert done.stdout.splitlines() == expected
