"""What dvc.lock says of each stage."""

from pathlib import Path

import pytest

from commands.workspace.lockfile import list_output_hashes, read_stages

LOCK = """schema: '2.0'
stages:
  train@heart-linear:
    cmd: python -m stages.train heart linear
    outs:
    - path: data/candidates/heart/linear
      md5: 11.dir
    - path: data/candidates/heart/time.json
  evaluate-heart:
    cmd: python -m stages.evaluate heart
    outs:
    - path: data/evaluated/heart/evaluation.json
      md5: '22'
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_stage_is_read_with_the_hashes_of_its_outputs(folder: Path) -> None:
    (folder / "dvc.lock").write_text(LOCK)
    stages = read_stages()
    assert list(stages) == ["train@heart-linear", "evaluate-heart"]
    assert list_output_hashes(stages["train@heart-linear"]) == {
        "data/candidates/heart/linear": "11.dir"
    }
    assert list_output_hashes(stages["evaluate-heart"]) == {
        "data/evaluated/heart/evaluation.json": "22"
    }


def test_only_the_wanted_stages_are_read(folder: Path) -> None:
    (folder / "dvc.lock").write_text(LOCK)
    assert list(read_stages(prefix="evaluate-")) == ["evaluate-heart"]
    assert read_stages(prefix="export@") == {}


def test_the_lock_of_another_state_is_read_by_what_reads_its_files() -> None:
    found = read_stages(lambda path: LOCK if path == Path("dvc.lock") else None)
    assert list(found) == ["train@heart-linear", "evaluate-heart"]


def test_without_a_lock_or_in_an_empty_one_there_is_no_stage(folder: Path) -> None:
    assert read_stages() == {}
    for text in ("", "schema: '2.0'\n", "schema: '2.0'\nstages:\n"):
        (folder / "dvc.lock").write_text(text)
        assert read_stages() == {}
