"""The queue keeps every Ω until all consumers have it, through kills, restarts and broken files."""

import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import SCHEMA, Embedding, Omega, PrivacyReport, SyncKey, Verdict
from privcam_edge.link.omega_queue import FILE, MAX_CONSUMERS, SPARE_PICTURES, OmegaQueue, Row, queue_folder
from privcam_link import cdr

START = 10**18
EVERYTHING = 10**9


def omega(frame: int, level: int = 90) -> Omega:
    """An Ω with its picture, a grey wall."""
    key = SyncKey("room1", frame, START + frame)
    png = encode_environment(np.full((8, 8, 3), level, np.uint8), np.ones((8, 8), np.bool_))
    z = Embedding("hog-1", (8,), 0.5, frame.to_bytes(8, "big"), 0.25, 1.0)
    return Omega(key, environment_of(key, png, 1), [], z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))


def bare(frame: int, level: int = 90) -> bytes:
    whole = omega(frame, level)
    return cdr.encode(replace(whole, environment=whole.environment.without_png()))


SIZE, WHOLE = len(bare(1)), len(cdr.encode(omega(1)))


class Clock:
    now = 1e9

    def __call__(self) -> float:
        return self.now


@contextmanager
def opened(folder: Path, **settings: object) -> Iterator[OmegaQueue]:
    queue = OmegaQueue(folder, **settings)  # type: ignore[arg-type]
    try:
        yield queue
    finally:
        queue.close()


def frames(queue: OmegaQueue, after: int = 0) -> list[int]:
    rows = queue.after(START + after, max_bytes=EVERYTHING)
    return [cdr.decode(row.payload).key.frame_id for row in rows]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[OmegaQueue]:
    with opened(tmp_path / "q") as queue:
        yield queue


def test_omegas_come_out_in_order_with_consecutive_numbers_and_by_digest_alone(queue: OmegaQueue) -> None:
    assert (queue.newest, queue.last_key(), queue.waiting, queue.after(0, max_bytes=EVERYTHING)) == (0, None, 0, [])
    put = [queue.put(omega(frame)) for frame in range(1, 6)]
    assert put == [Row(n, bare(n)) for n in range(1, 6)]
    assert queue.after(0, max_bytes=EVERYTHING) == put
    assert queue.after(START + 3, max_bytes=EVERYTHING) == put[3:]
    assert (queue.newest, queue.last_key(), queue.waiting, queue.lost) == (5, omega(5).key, 5, 0)


def test_reply_is_within_the_byte_limit_but_has_at_least_one_omega(queue: OmegaQueue) -> None:
    for frame in range(1, 6):
        queue.put(omega(frame))
    assert [row.n for row in queue.after(0, max_bytes=3 * SIZE)] == [1, 2, 3]
    assert [row.n for row in queue.after(0, max_bytes=3 * SIZE - 1)] == [1, 2]
    assert [row.n for row in queue.after(0, max_bytes=1)] == [1]


def test_name_and_numbers_continue_over_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path / "q") as queue:
        name = queue.name
        for frame in (1, 2, 3):
            queue.put(omega(frame))
        queue.acknowledge("cloud", START + 3)
    with opened(tmp_path / "q") as queue:
        assert (queue.name, queue.newest, queue.last_key(), queue.waiting) == (name, 3, omega(3).key, 0)
        assert queue.put(omega(4)).n == 4
        assert frames(queue) == [3, 4]
    with opened(tmp_path / "other") as other:
        assert other.name != name
        assert other.put(omega(1)).n == 1


def test_killed_process_loses_nothing_that_was_put(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import test_omega_queue as t
queue = t.OmegaQueue(Path('q'))
for frame in range(1, 100_000):
    print(queue.put(t.omega(frame)).n, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        said = [int(process.stdout.readline()) for _ in range(200)]
        process.kill()
        said += [int(line) for line in process.stdout if line.endswith("\n")]
    assert process.returncode == -signal.SIGKILL
    with opened(tmp_path / "q") as queue:
        kept = frames(queue)
        assert kept[: len(said)] == said == list(range(1, len(said) + 1))
        assert len(kept) - len(said) <= 1, "at most one was put and not yet printed"
        found = queue.picture(omega(1).environment.digest)
        assert found is not None and cdr.decode(found.payload).environment.png == omega(1).environment.png
        assert queue.put(omega(len(kept) + 1)).n == len(kept) + 1


@pytest.mark.parametrize("damage", ["garbage", "torn", "zeros"])
def test_broken_file_is_put_aside_and_a_new_queue_is_created(tmp_path: Path, damage: str) -> None:
    with opened(tmp_path / "q") as queue:
        name = queue.name
        for frame in range(1, 200):
            queue.put(omega(frame, frame % 250))
    file = tmp_path / "q" / FILE
    whole = file.read_bytes()
    broken = {"garbage": b"no database " * 5000, "torn": whole[: len(whole) // 2], "zeros": bytes(len(whole))}[damage]
    file.write_bytes(broken)
    with opened(tmp_path / "q", clock=Clock()) as queue:
        assert (queue.name != name, queue.newest, queue.lost, queue.kept_bytes) == (True, 0, 0, 0)
        assert queue.put(omega(300)).n == 1
    aside = tmp_path / "q" / f"omega.broken-{int(Clock.now)}"
    assert aside.read_bytes() == broken


def test_file_with_omegas_of_another_schema_is_put_aside_and_a_new_queue_is_created(tmp_path: Path) -> None:
    with opened(tmp_path / "q") as queue:
        name = queue.name
        queue.put(omega(1))
    with closing(sqlite3.connect(tmp_path / "q" / FILE)) as base:
        base.execute(f"PRAGMA user_version = {SCHEMA - 1}")
    with opened(tmp_path / "q", clock=Clock()) as queue:
        assert (queue.name != name, queue.newest, queue.last_key()) == (True, 0, None)
    assert (tmp_path / "q" / f"omega.broken-{int(Clock.now)}").exists()


def test_oldest_are_dropped_beyond_the_byte_limit_and_counted_as_lost(tmp_path: Path) -> None:
    with opened(tmp_path / "q", max_bytes=WHOLE + 40 * SIZE) as queue:
        for frame in range(1, 101):
            queue.put(omega(frame))
            assert queue.kept_bytes <= WHOLE + 40 * SIZE
        kept = frames(queue)
        assert kept == list(range(kept[0], 101))
        assert len(kept) > 20
        assert queue.lost == 100 - len(kept)
    with opened(tmp_path / "q") as queue:
        assert (queue.lost, queue.kept_bytes) == (100 - len(kept), WHOLE + len(kept) * SIZE)


def test_too_old_ones_are_dropped_and_counted_as_lost(tmp_path: Path) -> None:
    clock = Clock()
    with opened(tmp_path / "q", max_age_s=10.0, clock=clock) as queue:
        for frame in range(1, 6):
            queue.put(omega(frame))
            clock.now += 4.0
        assert (frames(queue), queue.lost) == ([3, 4, 5], 2)


def test_acknowledged_omega_is_not_counted_as_lost_when_dropped(tmp_path: Path) -> None:
    clock = Clock()
    with opened(tmp_path / "q", max_age_s=100.0, clock=clock) as queue:
        for frame in range(1, 11):
            queue.put(omega(frame))
        queue.acknowledge("slow", START + 4)
        queue.acknowledge("fast", START + 9)
        assert frames(queue) == [5, 6, 7, 8, 9, 10]
        clock.now += 60.0
        queue.acknowledge("slow", START + 4)
        queue.acknowledge("fast", START + 9)
        clock.now += 60.0
        queue.put(omega(11))
        assert (frames(queue), queue.lost) == ([11], 6), "slow did not have 5 to 10"


def test_only_omegas_that_all_consumers_have_are_dropped(queue: OmegaQueue) -> None:
    for frame in range(1, 6):
        queue.put(omega(frame))
    queue.acknowledge("a", START + 3)
    assert (frames(queue), queue.waiting) == ([4, 5], 2)
    queue.acknowledge("b", 0)
    queue.acknowledge("a", START + 5)
    assert (frames(queue), queue.waiting) == ([4, 5], 2)
    queue.acknowledge("b", START + 4)
    assert (frames(queue), queue.waiting, queue.lost) == ([5], 1, 0)


def test_newest_stays_although_all_consumers_have_it(queue: OmegaQueue) -> None:
    for frame in (1, 2, 3):
        queue.put(omega(frame))
    queue.acknowledge("a", START + 100)
    assert (frames(queue), queue.waiting, queue.last_key()) == ([3], 0, omega(3).key)


def test_newest_stays_although_its_picture_alone_is_too_large(tmp_path: Path) -> None:
    with opened(tmp_path / "q", max_bytes=1) as queue:
        for frame in (1, 2, 3):
            assert queue.put(omega(frame)).n == frame
            assert (frames(queue), queue.last_key()) == ([frame], omega(frame).key)
        assert queue.lost == 2


def test_pictures_that_no_omega_names_are_dropped_before_an_omega(tmp_path: Path) -> None:
    clock = Clock()
    with opened(tmp_path / "q", max_bytes=20 * WHOLE, max_age_s=10.0, clock=clock) as queue:
        for frame in range(1, 9):
            queue.put(omega(frame, frame))
        clock.now += 11.0
        for frame in range(9, 16):
            queue.put(omega(frame, frame))
        assert (frames(queue), queue.lost) == (list(range(9, 16)), 8), "the eight were too old, nothing else is lost"


def test_full_disk_is_an_error_and_earlier_omegas_stay(tmp_path: Path) -> None:
    code = f"""
import resource, sqlite3, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import test_omega_queue as t
queue = t.OmegaQueue(Path('q'))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
frame = 0
try:
    while True:
        queue.put(t.omega(frame + 1, (frame + 1) % 250))
        frame += 1
except sqlite3.OperationalError:
    print(frame, t.frames(queue) == list(range(1, frame + 1)), queue.kept_bytes)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    count, all_there, kept_bytes = done.stdout.split()
    with opened(tmp_path / "q") as queue:
        assert (all_there, frames(queue)) == ("True", list(range(1, int(count) + 1)))
        assert int(kept_bytes) == queue.kept_bytes
        assert queue.put(omega(int(count) + 1)).n == int(count) + 1


def test_acknowledgement_never_decreases(queue: OmegaQueue) -> None:
    for frame in range(1, 6):
        queue.put(omega(frame))
    queue.acknowledge("a", START + 3)
    queue.acknowledge("a", START + 1)
    queue.acknowledge("a", 0)
    assert (frames(queue), queue.waiting) == ([4, 5], 2)


def put_back(queue: OmegaQueue, back: int) -> None:
    """Put ten Ω, then ten whose stamps are `back` ns lower, as after a clock that was set back."""
    for frame in range(1, 11):
        queue.put(omega(1000 + frame))
    for frame in range(1, 11):
        queue.put(omega(1010 - back + frame))


@pytest.mark.parametrize("back", [3, 500, 900])
def test_clock_that_was_set_back_loses_nothing_while_nobody_listens(queue: OmegaQueue, back: int) -> None:
    for frame in range(1, 11):
        queue.put(omega(1000 + frame))
    queue.put(omega(910 - back) if back < 900 else omega(5))
    seen, after = [], 0
    while rows := queue.after(after, max_bytes=1):
        seen += [row.n for row in rows]
        after = cdr.decode(rows[-1].payload).key.stamp_ns
        assert len(seen) <= 11
    assert (seen, queue.lost, queue.waiting) == (list(range(1, 12)), 0, 11)


def test_acknowledgement_from_before_the_clock_was_set_back_covers_nothing_after_it(queue: OmegaQueue) -> None:
    put_back(queue, 500)
    for stamp in (1005, 1010):
        queue.acknowledge("cloud", START + stamp)
    assert queue.waiting == 10
    assert [row.n for row in queue.after(START + 1010, max_bytes=EVERYTHING)] == list(range(11, 21))
    assert queue.newest_ns == START + 1010  # what was there once may be acknowledged again
    queue.acknowledge("cloud", START + 1010)
    assert queue.waiting == 10
    queue.acknowledge("cloud", START + 515)
    assert (queue.waiting, queue.lost) == (5, 0)
    assert [row.n for row in queue.after(START + 515, max_bytes=EVERYTHING)] == list(range(16, 21))


def test_stamps_between_those_of_omegas_are_read_with_care_after_the_clock_was_set_back(queue: OmegaQueue) -> None:
    put_back(queue, 500)
    queue.acknowledge("cloud", START + 510)  # just before the first one after the step
    assert queue.waiting == 20
    queue.acknowledge("cloud", START + 1007)
    assert queue.waiting == 13
    queue.acknowledge("cloud", START + 10**6)  # later than all: of the time before the step
    assert queue.waiting == 10


def test_what_is_known_of_a_clock_that_was_set_back_outlives_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as queue:
        put_back(queue, 500)
        queue.acknowledge("cloud", START + 1010)
    with opened(tmp_path) as queue:
        queue.acknowledge("cloud", START + 1010)
        assert (queue.waiting, queue.newest_ns) == (10, START + 1010)
        last = queue.last_key()
        assert last is not None
        assert last.stamp_ns == START + 520


def test_consumer_without_a_recent_query_holds_back_nothing(tmp_path: Path) -> None:
    clock = Clock()
    with opened(tmp_path / "q", max_age_s=100.0, clock=clock) as queue:
        queue.acknowledge("gone", 0)
        clock.now += 99.0
        for frame in (1, 2, 3):
            queue.put(omega(frame))
        queue.acknowledge("here", START + 3)
        assert queue.waiting == 3
        clock.now += 2.0
        queue.acknowledge("here", START + 3)
        assert (queue.waiting, frames(queue)) == (0, [3])


def test_number_of_consumers_is_bounded_to_the_most_recent(tmp_path: Path) -> None:
    clock = Clock()
    with opened(tmp_path / "q", clock=clock) as queue:
        for frame in (1, 2, 3):
            queue.put(omega(frame))
        for number in range(MAX_CONSUMERS + 5):
            clock.now += 1.0
            queue.acknowledge(f"c{number}", 0 if number < 5 else START + 2)
        assert (queue.waiting, frames(queue)) == (1, [3])


def test_second_process_is_rejected_without_harm(tmp_path: Path) -> None:
    with opened(tmp_path / "q") as queue:
        queue.put(omega(1))
        code = "from pathlib import Path; from privcam_edge.link.omega_queue import OmegaQueue; OmegaQueue(Path('q'))"
        other = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert other.returncode == 1
        assert "database is locked; is another bridge of this camera running" in other.stderr
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            OmegaQueue(tmp_path / "q")
        assert queue.put(omega(2)).n == 2
        assert frames(queue) == [1, 2]
    assert not list((tmp_path / "q").glob("*broken*"))


def test_omega_that_is_not_newer_is_rejected_and_changes_no_count(queue: OmegaQueue) -> None:
    queue.put(omega(1))
    size = queue.kept_bytes
    with pytest.raises(sqlite3.IntegrityError):
        queue.put(omega(1))
    assert (queue.kept_bytes, queue.newest, frames(queue)) == (size, 1, [1])
    assert queue.put(omega(2)).n == 2


def test_picture_is_kept_once_while_an_omega_names_it(queue: OmegaQueue) -> None:
    levels = range(10, 10 + SPARE_PICTURES + 3)
    for frame, level in enumerate(levels, start=1):
        queue.put(omega(2 * frame, level))
        queue.put(omega(2 * frame + 1, level))
    digests = [omega(1, level).environment.digest for level in levels]
    for frame, digest in enumerate(digests, start=1):
        found = queue.picture(digest)
        assert found is not None
        assert found.n == 2 * frame, "the newest Ω with it"
        assert cdr.decode(found.payload).environment.digest == digest
    assert queue.picture(bytes(32)) is None
    count = len(levels)
    assert queue.kept_bytes == 2 * count * SIZE + count * WHOLE
    queue.acknowledge("cloud", START + 3)
    assert queue.picture(digests[0]) is None
    assert queue.picture(digests[1]) is not None
    queue.acknowledge("cloud", START + 10**6)
    assert [queue.picture(digest) is not None for digest in digests] == [False] * 3 + [True] * SPARE_PICTURES
    assert queue.kept_bytes == SIZE + SPARE_PICTURES * WHOLE


def test_omegas_are_put_while_other_threads_query(queue: OmegaQueue) -> None:
    seen: list[int] = []

    def consume() -> None:
        while not seen or seen[-1] < 200:
            new = frames(queue, seen[-1] if seen else 0)
            seen.extend(new)
            queue.acknowledge("cloud", START + (seen[-1] if seen else 0))

    thread = threading.Thread(target=consume, daemon=True)
    thread.start()
    for frame in range(1, 201):
        queue.put(omega(frame))
    thread.join(timeout=300.0)
    assert (seen, queue.lost, queue.waiting) == (list(range(1, 201)), 0, 0)


def test_only_its_owner_may_read_the_queue(tmp_path: Path) -> None:
    folder = queue_folder(tmp_path / "state", "room1")
    with opened(folder) as queue:
        queue.put(omega(1))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert folder == tmp_path / "state" / "queue" / "room1"


def test_closing_twice_is_harmless(queue: OmegaQueue) -> None:
    queue.close()
    queue.close()


def put_rounds(queue: OmegaQueue, *firsts: int) -> None:
    """Put ten Ω for each of `firsts`, with stamps from START + that on."""
    for first in firsts:
        for number in range(10):
            queue.put(omega(first + number))


def test_stamps_that_go_back_begin_an_epoch_which_outlives_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as queue:
        assert queue.epoch == 1
        put_rounds(queue, 1000, 500, 2000, 100)
        assert queue.epoch == 3  # ahead is no way back
    with opened(tmp_path) as queue:
        assert queue.epoch == 3
        queue.put(omega(50))
        assert queue.epoch == 4


def test_stamp_of_an_older_epoch_acknowledges_nothing_of_the_epochs_between(queue: OmegaQueue) -> None:
    put_rounds(queue, 1000, 500, 100)
    queue.acknowledge("cloud", START + 1004)  # five of the first epoch
    assert queue.waiting == 25
    queue.acknowledge("cloud", START + 1002)  # gone meanwhile
    assert queue.waiting == 25
    queue.acknowledge("cloud", START + 505)
    assert queue.waiting == 14
    queue.acknowledge("cloud", START + 1009)  # of an epoch of which nothing is left
    assert queue.waiting == 14
    assert [row.n for row in queue.after(START + 505, max_bytes=EVERYTHING)] == list(range(17, 31))


@pytest.mark.parametrize("rounds", [2, 5])
def test_recording_that_is_played_again_gets_stamps_of_its_own_and_is_delivered_whole(
    queue: OmegaQueue, rounds: int
) -> None:
    sent = []
    for _ in range(rounds):
        for number in range(10):
            own = queue.with_own_stamp(omega(1000 + number))
            queue.put(own)
            sent.append(own.key.stamp_ns)
            assert own.environment.key == own.key
    assert sent[:10] == [START + 1000 + number for number in range(10)]
    assert len(set(sent)) == 10 * rounds
    seen, after = [], 0
    while rows := queue.after(after, max_bytes=1):
        after = cdr.decode(rows[-1].payload).key.stamp_ns
        queue.acknowledge("cloud", after)
        seen += [row.n for row in rows]
    assert (seen, queue.waiting, queue.lost) == (list(range(1, 10 * rounds + 1)), 0, 0)
