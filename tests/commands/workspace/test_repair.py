"""What a kill leaves of DVC's own files is repaired, and what is whole is left alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands.workspace.lockfile import LOCK
from commands.workspace.repairing import BUSY, is_cut_off, repair_files
from tests.support.clone import ROOT, Clone
from tests.support.made_pipeline import make_pipeline, repro

COMMITTED = """\
schema: '2.0'
stages:
  prepare:
    cmd: python prepare.py
    outs:
    - path: table
      md5: 11111111111111111111111111111111
  train:
    cmd: python train.py
    params:
      params.yaml:
        C: 0.1
"""
NEW = COMMITTED.replace("1111", "2222") + "  export:\n    cmd: python export.py\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A repository whose last commit has a ``dvc.lock`` of two stages."""
    monkeypatch.chdir(tmp_path)
    clone = Clone(tmp_path)
    clone.write("dvc.lock", COMMITTED)
    for words in (
        "init -q",
        "config user.name a",
        "config user.email a@b",
        "add .",
        "commit -qm x",
    ):
        clone.run("git", *words.split())
    return clone


def repair_lock(clone: Clone, text: str) -> str:
    clone.write("dvc.lock", text)
    repair_files()
    return clone.read("dvc.lock")


def test_whole_entries_stay_and_lost_ones_come_from_the_last_commit(repository: Clone) -> None:
    cut = NEW[: NEW.index("train.py")]
    whole = NEW[: NEW.index("  train:")]
    assert repair_lock(repository, cut) == whole + COMMITTED[COMMITTED.index("  train:") :]


@pytest.mark.parametrize("text", ["", "schema: '2", "schema: '2.0'\nstages:\n"])
def test_an_empty_lock_becomes_that_of_the_last_commit(repository: Clone, text: str) -> None:
    assert repair_lock(repository, text) == COMMITTED


def test_a_key_that_lost_its_value_counts_as_cut_off(repository: Clone) -> None:
    at = NEW.index("        C: 0.1")
    assert repair_lock(repository, NEW[:at]).endswith(COMMITTED[COMMITTED.index("  train:") :])


def test_a_whole_lock_is_left_alone(repository: Clone) -> None:
    assert repair_lock(repository, NEW) == NEW
    LOCK.unlink()
    repair_files()
    assert not LOCK.exists()


def test_without_a_commit_whole_entries_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clone = Clone(tmp_path)
    assert repair_lock(clone, NEW[:-1]) == COMMITTED.replace("1111", "2222")
    clone.write("dvc.lock", NEW[:20])
    repair_files()
    assert not LOCK.exists()


@pytest.mark.parametrize("text", ["", '{"read": {'])
def test_a_cut_list_of_locks_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Clone(tmp_path).write(str(BUSY), text)
    repair_files()
    assert not BUSY.exists()


def test_a_whole_list_of_locks_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Clone(tmp_path).write(str(BUSY), "{}")
    repair_files()
    assert BUSY.read_text() == "{}"


@pytest.mark.parametrize("is_reaped", [True, False])
def test_a_list_of_the_dead_goes_whoever_has_asked_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_reaped: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    dead = subprocess.Popen(["true"])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | (0 if is_reaped else os.WNOWAIT))
    listed = {"write": {"a": make_holder(dead.pid)}, "read": {"b": [make_holder(dead.pid)]}}
    Clone(tmp_path).write(str(BUSY), json.dumps(listed))
    repair_files()
    assert not BUSY.exists()


def test_a_list_with_somebody_alive_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listed = json.dumps({"write": {"a": make_holder(os.getpid())}, "read": {}})
    Clone(tmp_path).write(str(BUSY), listed)
    repair_files()
    assert BUSY.read_text() == listed


def make_holder(process: int) -> dict[str, object]:
    return {"pid": process, "cmd": "dvc repro"}


def test_dvc_refuses_what_is_cut_off_and_takes_what_is_repaired(tmp_path: Path) -> None:
    clone = make_pipeline(tmp_path, seed=0, stages=3)
    repro(clone)
    lock = clone.read("dvc.lock")
    clone.write("dvc.lock", lock[: lock.rindex("md5")])
    clone.write(str(BUSY), "")
    assert is_cut_off(clone.read("dvc.lock"))
    assert clone.run("dvc", "repro", check=False).returncode != 0
    done = run_repair(clone)
    assert "dvc.lock was cut off" in done.stdout
    assert f"{BUSY} was left by a kill" in done.stdout
    clone.run("dvc", "repro")
    assert clone.read("dvc.lock") == lock


def run_repair(clone: Clone) -> "subprocess.CompletedProcess[str]":
    return clone.run(sys.executable, "-m", "commands", "repair", PYTHONPATH=str(ROOT))
