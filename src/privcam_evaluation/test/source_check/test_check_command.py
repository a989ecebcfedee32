"""`./privcam check` says what a source is, warns, and tells by its exit code whether it can be used."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from video_files import flat, matrix, write_clip

from privcam_core.types.arrays import Image
from privcam_evaluation.source_check.check_command import UNUSABLE, USABLE, main
from privcam_evaluation.source_check.people_check import PeopleWatch


def room(number: int, size: tuple[int, int] = (320, 240)) -> Image:
    """Return a room by daylight with structure, in which a curtain moves."""
    random = np.random.default_rng(5)
    blocks = random.integers(30, 240, (size[1] // 20, size[0] // 20, 3), np.uint8)
    picture = cv2.resize(blocks, size, interpolation=cv2.INTER_NEAREST)
    picture[40:100, 10 + 4 * (number % 10) : 40 + 4 * (number % 10)] = 128
    return np.asarray(picture, np.uint8)


def check(source: object, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    code = main([str(source), "--seconds", "3", *options])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_good_recording_is_usable_and_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "room.mp4", [room(n) for n in range(40)])
    code, said = check(clip, capsys)
    assert code == USABLE, said
    for part in ("recording", "h264", "320x240", "10 nominal, 10 measured", "100.0 ms", "none", "clear", "usable"):
        assert part in said
    assert "people                    0.0 in a picture" in said
    assert "warning" not in said


def test_what_a_person_should_know_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times_s = np.cumsum([0.05, 0.3] * 10).tolist()
    display = matrix(0, 1, -1, 0)
    clip = write_clip(
        tmp_path / "room.mp4", [room(n, (320, 200)) for n in range(20)], times_s=times_s, display=display, audio_s=3.0
    )
    code, said = check(clip, capsys)
    assert code == USABLE, said
    for part in ("the rate is variable", "has sound", "turned back (90° clockwise)"):
        assert f"warning                   {part}" in said or part in said


@pytest.mark.parametrize(
    ("name", "pictures", "rate_hz", "reason"),
    [
        ("dark", [np.asarray(room(n) // 12, np.uint8) for n in range(40)], 10.0, "too dark"),
        ("flat", [flat(90, (320, 240))] * 40, 10.0, "covered"),
        ("slow", [room(n) for n in range(4)], 0.8, "too slow: 0.8 frames/s"),
        ("lapse", [room(n) for n in range(4)], 0.1, "too slow: 0.1 frames/s; nobody can be followed below 1"),
        ("single", [room(0)], 10.0, "fewer than two pictures are in it"),
    ],
)
def test_source_that_is_no_good_is_not_usable_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, pictures: list[Image], rate_hz: float, reason: str
) -> None:
    clip = write_clip(tmp_path / f"{name}.mp4", pictures, rate_hz=rate_hz)
    code, said = check(clip, capsys)
    assert code == UNUSABLE
    assert reason in said
    assert said.splitlines()[-1] != "usable"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("/nowhere/a.mp4", "no such file"),
        ("rtsp://127.0.0.1:9/x", "the connection was refused"),
        ("srt://10.0.0.1:9000", "the scheme srt cannot be opened"),
        ("/dev/video97", "no such camera"),
        ("rtsp://admin:Geh31m@10.0.0.5/s", "holds a user name or a password"),
    ],
)
def test_source_that_cannot_be_opened_is_not_usable(
    source: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = check(source, capsys)
    assert code == UNUSABLE
    assert reason in said
    assert "Geh31m" not in said


def test_no_picture_is_kept_and_each_is_overwritten() -> None:
    """Ten pictures come while one is looked at: all are zeros at the end, and at most two are held."""
    pictures = [room(n) for n in range(10)]
    with PeopleWatch() as watch:
        for number, picture in enumerate(pictures):
            watch.offer(10**9 + number * 10**8, picture, wait=False)
    assert not any(picture.any() for picture in pictures)
    assert watch.found is not None and 1 <= watch.found.pictures <= 10
    with PeopleWatch() as watch:
        for number in range(4):
            watch.offer(10**9 + number * 10**8, room(number), wait=True)
    assert watch.found is not None and watch.found.pictures == 4
