"""Two branches that each changed a model are merged by git to a lock that DVC reads."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands.workspace.conflicts import find_conflicts
from commands.workspace.lockfile import LOCK
from commands.workspace.merging import merge_entries, split_entries
from commands.workspace.repair import repair
from commands.workspace.verify import find_problems
from stages.shared.conflict import has_conflict, split_conflict
from stages.shared.errors import PipelineError
from tests.support.clone import ROOT, Clone, commit, make_clone

pytestmark = pytest.mark.long
CONFIG = "[core]\n    analytics = false\n    autostage = false\n"
STAGE = """\
  {name}:
    cmd: cat {needs} > {name}.txt; echo {name} $(cat params.yaml | grep {name}) >> {name}.txt
    deps: [{deps}]
    params: [{name}]
    outs: [{name}.txt]
"""
NEEDS = {"linear": "data.txt", "forest": "data.txt", "evaluate": "linear.txt forest.txt"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two models and what compares them; each has one parameter."""
    found = Clone(tmp_path_factory.mktemp("template") / "run")
    found.write(".gitattributes", (ROOT / ".gitattributes").read_text())
    found.write("data.txt", "1\n")
    found.write("params.yaml", "linear: 1\n\n\n\nforest: 1\n\n\n\nevaluate: 1\n")
    stages = [
        STAGE.format(name=name, needs=needs, deps=needs.replace(" ", ", "))
        for name, needs in NEEDS.items()
    ]
    found.write("dvc.yaml", "stages:\n" + "".join(stages))
    for words in ("init -q -b main", "config user.name test", "config user.email a@b"):
        found.run("git", *words.split())
    found.run("dvc", "init", "-q")
    found.write(".dvc/config", CONFIG)
    found.run("dvc", "repro", "-q")
    commit(found, "base")
    for branch, model in (("one", "linear"), ("two", "forest")):
        found.run("git", "checkout", "-q", "-b", branch, "main")
        change(found, model, 1, 2)
    found.run("git", "checkout", "-q", "one")
    found.run("dvc", "checkout", "-q")
    return found.path


@pytest.fixture
def clone(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A copy of the template, with its cache, as the working directory."""
    shutil.copytree(template, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    return Clone(tmp_path / "run")


def change(clone: Clone, model: str, old: int, new: int) -> None:
    clone.replace("params.yaml", f"{model}: {old}", f"{model}: {new}")
    clone.run("dvc", "repro", "-q")
    commit(clone, f"{model} = {new}")


def install_driver(clone: Clone) -> None:
    """As `make install` does, with this process's Python."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "$$python -m commands.workspace.merge_lock %O %A %B'" in text
    driver = f"PYTHONPATH={ROOT} {sys.executable} -m commands.workspace.merge_lock %O %A %B"
    clone.run("git", "config", "merge.dvc-lock.driver", driver)


def merge(clone: Clone, branch: str = "two") -> "subprocess.CompletedProcess[str]":
    return clone.run("git", "merge", "-q", "--no-edit", branch, check=False)


def read_entries(text: str) -> dict[str, str]:
    return dict(split_entries(text))


def list_ran(clone: Clone) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", clone.run("dvc", "repro").stdout)


def test_the_driver_takes_each_entry_whole_from_the_side_that_changed_it(clone: Clone) -> None:
    install_driver(clone)
    one, two = (
        read_entries(clone.run("git", "show", f"{branch}:dvc.lock").stdout)
        for branch in ("one", "two")
    )
    assert merge(clone).returncode == 0
    found = read_entries(clone.read("dvc.lock"))
    assert found == {**one, "linear": one["linear"], "forest": two["forest"]}
    assert found["evaluate"] == one["evaluate"] != two["evaluate"]  # both changed it
    clone.run("dvc", "checkout", "-q")
    assert list_ran(clone) == ["evaluate"]


def test_without_the_driver_repair_resolves_what_git_marked(
    clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    merge(clone)
    assert has_conflict(clone.read("dvc.lock"))
    assert find_conflicts() == [LOCK]
    one, two = (
        read_entries(clone.run("git", "show", f"{branch}:dvc.lock").stdout)
        for branch in ("one", "two")
    )
    repair()
    assert "dvc.lock was in conflict and is merged by stage (3 kept)" in capsys.readouterr().out
    assert read_entries(clone.read("dvc.lock")) == {**one, "forest": two["forest"]}
    clone.run("dvc", "checkout", "-q")
    assert list_ran(clone) == ["evaluate"]
    repair()
    assert capsys.readouterr().out == ""


def test_repro_side_by_side_resolves_a_conflict_by_itself(clone: Clone) -> None:
    merge(clone)
    done = clone.run(sys.executable, "-m", "commands", "repro", "--jobs", "2", PYTHONPATH=str(ROOT))
    assert "dvc.lock was in conflict" in done.stdout
    results = dict(re.findall(r"(\w+): (ran|did not change|restored)", done.stdout))
    assert results["evaluate"] == "ran"
    assert "ran" not in (results["linear"], results["forest"])  # as one of the sides had made them


def test_verify_names_a_file_in_conflict_and_what_to_run(clone: Clone) -> None:
    merge(clone)
    with pytest.raises(PipelineError, match=r"dvc.lock in conflict.*python -m commands repair"):
        find_problems()


def test_where_both_changed_a_model_the_entry_that_fits_is_kept(clone: Clone) -> None:
    clone.run("git", "checkout", "-q", "two")
    clone.run("dvc", "checkout", "-q")
    change(clone, "linear", 1, 3)
    clone.run("git", "checkout", "-q", "one")
    theirs = read_entries(clone.run("git", "show", "two:dvc.lock").stdout)
    merge(clone)
    clone.run("git", "checkout", "-q", "--theirs", "params.yaml")  # a person's decision
    repair()
    assert read_entries(clone.read("dvc.lock")) == theirs
    clone.run("dvc", "checkout", "-q")
    assert list_ran(clone) == []


def test_an_entry_that_a_merge_by_lines_put_together_is_dropped(clone: Clone) -> None:
    """Added with its marks, git no longer keeps the sides: what is in no commit is not believed."""
    merge(clone)
    text = clone.read("dvc.lock")
    clone.run("git", "add", "dvc.lock")
    assert split_conflict(text)[0] != text
    repair()
    kept = read_entries(clone.read("dvc.lock"))
    committed = [
        entry
        for branch in ("one", "two")
        for entry in split_entries(clone.run("git", "show", f"{branch}:dvc.lock").stdout)
    ]
    assert len(kept) > 1
    assert all(entry in committed for entry in kept.items())


def test_the_driver_runs_without_any_library(tmp_path: Path) -> None:
    head = "schema: '2.0'\nstages:\n"
    for name, text in {"base": "", "ours": head + "  a:\n    cmd: x\n", "theirs": head}.items():
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in ("base", "ours", "theirs")]
    command = [sys.executable, "-S", "-m", "commands.workspace.merge_lock", *files]
    subprocess.run(command, cwd=ROOT, check=True)
    assert (tmp_path / "ours").read_text() == head + "  a:\n    cmd: x\n"


def test_a_stage_that_one_side_took_out_is_gone_unless_the_other_changed_it() -> None:
    base = [("", "h"), ("a", "1"), ("b", "1"), ("c", "1")]
    ours = [("", "h"), ("b", "1"), ("c", "2")]  # took out a, changed c
    theirs = [("", "h"), ("a", "1"), ("d", "1")]  # took out b and c, added d
    assert merge_entries(base, ours, theirs) == [("", "h"), ("c", "2"), ("d", "1")]


@pytest.mark.parametrize("style", ["merge", "diff3", "zdiff3"])
def test_both_sides_are_read_from_each_style_of_marks(clone: Clone, style: str) -> None:
    clone.run("git", "config", "merge.conflictStyle", style)
    clone.run("git", "checkout", "-q", "two")
    change(clone, "linear", 1, 3)
    clone.run("git", "checkout", "-q", "one")
    merge(clone)
    ours, theirs = split_conflict(clone.read("params.yaml"))
    assert "linear: 2" in ours
    assert "linear: 3" in theirs
    assert not has_conflict(ours)
    assert "<<<" not in ours + theirs


def test_what_is_composed_and_in_conflict_is_composed_again(tmp_path: Path) -> None:
    """In this repository: two branches that changed two numbers side by side."""
    clone = make_clone(tmp_path)
    clone.run("git", "branch", "-q", "-M", "main")
    for branch, old, new in (("one", "C: 0.1", "C: 0.2"), ("two", "max_depth: 3", "max_depth: 4")):
        clone.run("git", "checkout", "-q", "-b", branch, "main")
        for path in ("conf/task/heart.yaml", "params.yaml"):  # as if composed
            clone.replace(path, old, new)
        clone.replace("dvc.yaml", "stages:\n", f"# {branch}\nstages:\n")
        commit(clone, branch)
    done = merge(clone, "one")
    assert done.returncode == 1
    clone.run("git", "checkout", "-q", "HEAD", "--", "conf/task/heart.yaml")
    clone.replace("conf/task/heart.yaml", "C: 0.1", "C: 0.2")
    assert has_conflict(clone.read("dvc.yaml"))
    printed = clone.run(sys.executable, "-m", "commands", "repair").stdout
    assert "composed again: " in printed
    assert not has_conflict(clone.read("dvc.yaml"))
    assert "C: 0.2" in clone.read("params.yaml")
    assert "max_depth: 4" in clone.read("params.yaml")
    clone.run(sys.executable, "-m", "commands", "compose", "--check")


def test_a_conflict_in_conf_is_left_to_a_person(tmp_path: Path) -> None:
    clone = make_clone(tmp_path)
    marks = "<<<<<<< HEAD\nmetric: roc_auc\n=======\nmetric: log_loss\n>>>>>>> two"
    clone.replace("conf/task/heart.yaml", "metric: roc_auc", marks)
    before = clone.read("params.yaml")
    done = clone.run(sys.executable, "-m", "commands", "compose", check=False)
    assert done.returncode == 1
    assert "conf/task/heart.yaml is in conflict after a merge: keep one side" in done.stderr
    assert clone.read("params.yaml") == before
