"""Stages side by side: the results of a serial run, and nothing lost when one fails or all stop."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from commands.workspace.scheduling.schedule import Schedule, rank_stages
from tests.support.clone import ROOT, Clone, environment
from tests.support.made_pipeline import forget, locks, make_pipeline, repro, stage

#    a → b → d     needs are what a stage reads
#    a → c   e
DIAMOND: dict[str, set[str]] = {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b"}, "e": set()}


class FakeJob:
    """A stage whose process ended at once."""

    seconds = 1.0
    output = "words"

    def __init__(self, name: str, result: str, alive: list[str]) -> None:
        self.name, self.result = name, result
        self.sentinel, written = os.pipe()
        os.close(written)  # an end that is closed is ready to be read
        alive.append(name)


def run(failing: str = "", unchanged: str = "", jobs: int = 2) -> tuple[list[str], dict[str, str]]:
    started: list[str] = []

    def start(name: str) -> Any:
        return FakeJob(name, "FAILED" if name in failing.split() else "ran", started)

    schedule = Schedule(DIAMOND, jobs, lambda name: name not in unchanged.split(), start)
    return started, {done.name: done.result for done in schedule.run()}


def test_every_stage_runs_once_after_what_it_needs() -> None:
    started, results = run()
    assert sorted(started) == sorted(DIAMOND) == sorted(results)
    assert all(
        started.index(need) < started.index(name) for name in DIAMOND for need in DIAMOND[name]
    )


def test_a_failed_stage_stops_only_what_depends_on_it() -> None:
    started, results = run(failing="b")
    assert results == {"a": "ran", "b": "FAILED", "c": "ran", "e": "ran"}
    assert "d" not in started


def test_what_did_not_change_costs_no_process() -> None:
    started, results = run(unchanged="a b e")
    assert sorted(started) == ["c", "d"]
    assert results["b"] == "did not change"


def test_a_stage_is_looked_at_only_when_what_it_needs_is_done() -> None:
    asked: list[tuple[str, list[str]]] = []
    started: list[str] = []

    def ask(name: str) -> bool:
        asked.append((name, list(started)))
        return True

    list(Schedule(DIAMOND, 1, ask, lambda name: FakeJob(name, "ran", started)).run())  # type: ignore[arg-type,return-value]
    assert all(DIAMOND[name] <= set(before) for name, before in asked)


def test_the_longest_chain_comes_first() -> None:
    found = rank_stages(DIAMOND, {})
    assert sorted(found, key=found.__getitem__) == ["a", "b", "c", "d", "e"]
    assert [-length for length, _ in found.values()] == [3, 2, 1, 1, 1]


def test_what_takes_longest_is_started_first() -> None:
    found = rank_stages(DIAMOND, {"c": 5, "e": 4})
    assert sorted(found, key=found.__getitem__) == ["a", "c", "e", "b", "d"]
    assert [-length for length, _ in found.values()] == [6, 2, 5, 1, 4]


@pytest.mark.parametrize("seed", range(5))
def test_the_lock_is_that_of_a_serial_run(tmp_path: Path, seed: int) -> None:
    side_by_side, serial = locks(make_pipeline(tmp_path, seed), jobs=3)
    assert side_by_side == serial


def test_a_second_run_starts_nothing_and_an_edit_only_what_depends(tmp_path: Path) -> None:
    clone = write_pipeline(tmp_path, stage("s1", "") + stage("s2", "s1.txt") + stage("s3", ""))
    repro(clone)
    assert "ran" not in repro(clone)
    clone.replace("dvc.yaml", "echo s1 >>", "echo other >>")
    printed = repro(clone)
    assert [line.split()[-2] for line in printed.splitlines() if line.endswith(": ran")] == [
        "s1:",
        "s2:",
    ]


def test_a_result_known_from_before_is_restored(tmp_path: Path) -> None:
    clone = make_pipeline(tmp_path, seed=1, stages=3)
    repro(clone)
    for output in tmp_path.glob("s[0-9].txt"):
        output.unlink()
    (tmp_path / "dvc.lock").unlink()
    assert repro(clone).count(": restored") == 3


def test_a_failure_is_shown_and_the_rest_is_done(tmp_path: Path) -> None:
    clone = write_pipeline(
        tmp_path,
        stage("s1", "", "echo it broke >&2; false")
        + stage("s2", "s1.txt")
        + stage("s3", "")
        + stage("s4", "s3.txt"),
    )
    done = start_scheduler(clone)
    printed, errors = done.communicate(timeout=60)
    assert done.returncode == 1
    assert "it broke" in errors
    assert printed.endswith("failed: s1\nskipped, because they depend on that: s2\n")
    assert clone.read("s4.txt") == "0\n0\ns3\ns4\n"
    clone.replace("dvc.yaml", "echo it broke >&2; false", "cp source.txt s1.txt")
    repro(clone)
    lock = clone.read("dvc.lock")
    forget(clone)
    clone.run("dvc", "repro")
    assert sorted(lock.splitlines()) == sorted(clone.read("dvc.lock").splitlines())


def test_an_unknown_stage_is_named(tmp_path: Path) -> None:
    done = start_scheduler(write_pipeline(tmp_path, stage("s1", "")), "s9")
    assert "s9" in done.communicate(timeout=60)[1]
    assert done.returncode == 1


def test_a_lock_that_was_cut_off_is_mended(tmp_path: Path) -> None:
    clone = write_pipeline(tmp_path, stage("s1", "") + stage("s2", "s1.txt"))
    repro(clone)
    lock = clone.read("dvc.lock")
    clone.write("dvc.lock", lock[: lock.index("  s2:") + 12])
    printed = repro(clone)
    assert "s1: did not change" in printed
    assert "s2: restored" in printed
    assert clone.read("dvc.lock") == lock


def test_the_order_of_the_lock_survives_a_run_that_was_killed(tmp_path: Path) -> None:
    """A serial run would have s1 done before s2."""
    clone = write_pipeline(tmp_path, SLOW.replace("s2", "s1") + stage("s2", ""))
    killed = start_scheduler(clone)
    wait_for(tmp_path / "dvc.lock", "  s2:")
    killed.kill()
    killed.communicate(timeout=60)
    clone.replace("dvc.yaml", SLOW.replace("s2", "s1"), stage("s1", ""))
    repro(clone)
    lock = clone.read("dvc.lock")
    assert lock.index("  s1:") < lock.index("  s2:")
    forget(clone)
    clone.run("dvc", "repro")
    assert clone.read("dvc.lock") == lock


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_it_leaves_no_process_and_a_sound_state(tmp_path: Path, number: int) -> None:
    clone = write_pipeline(tmp_path, stage("s1", "") + SLOW + stage("s3", "s2.txt"))
    done = start_scheduler(clone)
    pid = int(wait_for(tmp_path / "pid"))
    done.send_signal(number)
    done.communicate(timeout=60)
    assert done.returncode == (-9 if number == signal.SIGKILL else 130)
    assert is_gone(pid, seconds=5), "the stage outlived the scheduler"
    assert "s2" not in clone.read("dvc.lock") if (tmp_path / "dvc.lock").exists() else True
    clone.replace("dvc.yaml", SLOW, stage("s2", ""))
    repro(clone)
    assert "up to date" in clone.run("dvc", "status").stdout


WORK = "import os, time, pathlib; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
SLOW = stage("s2", "", f'exec {sys.executable} -c "{WORK}"')


def write_pipeline(path: Path, stages: str) -> Clone:
    clone = make_pipeline(path, seed=0, stages=0)
    clone.write("dvc.yaml", f"stages:\n{stages}")
    return clone


def start_scheduler(clone: Clone, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "commands", "repro", *words],
        cwd=clone.path, env=environment(PYTHONPATH=str(ROOT)), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for(path: Path, words: str = "", seconds: float = 60) -> str:
    """Wait for a file with these words in it, or any, and return its text."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if text and words in text:
            return text
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear")


def is_gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
