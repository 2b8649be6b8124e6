"""DVC runs what an edit calls for, nothing else, and gives the same bytes everywhere."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import quick_clone
from tests.support.clone import Clone
from tests.support.edits import EDITS, Edit


@pytest.fixture
def clone(pipeline: Clone) -> Iterator[Clone]:
    """The finished pipeline, put back to where it was after each test."""
    yield pipeline
    pipeline.restore()
    pipeline.run("dvc", "checkout", "-q", "--force")


def test_a_second_run_executes_nothing(clone: Clone) -> None:
    assert clone.repro() == set()


def test_what_an_editor_leaves_beside_the_code_changes_nothing(clone: Clone) -> None:
    for name in (".contract.py.swp", "contract.py~", "contract.py.orig", "deep/notes.txt"):
        clone.write(f"stages/contract/{name}", "unfinished")
    assert clone.repro() == set()


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.what)
def test_an_edit_runs_exactly_the_stages_that_depend_on_it(clone: Clone, edit: Edit) -> None:
    clone.replace(edit.path, edit.old, edit.new)
    clone.compose()
    if edit.directly:  # to run every stage, only to see that each is run, takes minutes
        assert set(json.loads(clone.run("dvc", "status", "--json").stdout)) == edit.stages
    else:
        assert clone.repro() == edit.stages


def test_plain_repro_stops_where_params_are_older_than_conf(clone: Clone) -> None:
    clone.replace("conf/task/heart.yaml", "C: 0.1", "C: 0.3")
    lock = clone.read("dvc.lock")
    done = clone.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "task.heart.models.linear.C: 0.1 here, 0.3 in conf/" in done.stderr
    assert "run `make compose`" in done.stderr
    assert clone.read("dvc.lock") == lock


def test_a_new_model_file_without_compose_stops_plain_repro(clone: Clone) -> None:
    clone.write("conf/model/extra.yaml", clone.read("conf/model/forest.yaml"))
    done = clone.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "conf/menu.yaml is out of date" in done.stderr


def test_an_experiment_uses_its_own_value_and_runs_only_what_it_touches(clone: Clone) -> None:
    done = clone.run("dvc", "exp", "run", "-S", "task.heart.models.linear.C=5.0")
    assert "Running stage 'train@heart-linear'" in done.stdout
    assert "train@heart-forest" not in done.stdout.replace("'train@heart-forest' didn't", "")
    assert "C: 5.0" in clone.read("params.yaml")


def test_an_experiment_without_a_change_writes_the_same_params(clone: Clone) -> None:
    """`dvc exp run` composes params.yaml itself; its bytes must be those of `make compose`."""
    before = clone.read("params.yaml")
    done = clone.run("dvc", "exp", "run", check=False)
    assert "Running stage" not in done.stdout
    assert clone.read("params.yaml") == before


def test_two_clean_clones_give_the_same_lock(baseline: Path, tmp_path: Path) -> None:
    other = quick_clone(tmp_path / "other")
    # Another seed for Python's string hashes must not change a byte.
    other.repro(PYTHONHASHSEED="12345")
    assert other.read("dvc.lock") == (baseline / "run/dvc.lock").read_text(encoding="utf-8")


def test_the_committed_lock_is_of_this_code_and_configuration(tmp_path: Path) -> None:
    """Where bytes are absent, a dry run still says which stages would run for other reasons."""
    from tests.support.clone import make_clone

    clone = make_clone(tmp_path / "fresh")
    done = clone.run("dvc", "repro", "--dry", "--allow-missing", check=False)
    assert "Running stage" not in done.stdout, "run `make repro` and commit dvc.lock"
    assert done.returncode == 0, done.stderr


def test_no_pickle_is_exported(pipeline: Clone) -> None:
    exported = [path for path in (pipeline.path / "models").rglob("*") if path.is_file()]
    assert {path.suffix for path in exported} == {".json", ".md", ".npz", ".onnx"}
    for path in exported:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                assert all(arrays[name].dtype.kind in "fiu" for name in arrays.files)
