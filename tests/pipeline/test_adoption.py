"""From an experiment to a commit that gives its values: nothing is lost in silence on the way."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clone import RUNNING, Clone, commit

VALUE = "task.heart.models.linear.C"
MAKE = ("make", "-o", ".venv/.ready", "repro")


@pytest.fixture
def clone(pipeline: Clone) -> Iterator[Clone]:
    """The baseline, put back to its commit in the end, with its models."""
    start = pipeline.run("git", "rev-parse", "HEAD").stdout.strip()
    yield pipeline
    pipeline.run("git", "reset", "-q", "--hard", start)
    pipeline.run("git", "clean", "-fdq")
    pipeline.run("dvc", "checkout", "-q", "--force")
    pipeline.compose()


def model(clone: Clone) -> bytes:
    return (clone.path / "models/heart/manifest.json").read_bytes()


def test_an_applied_experiment_ends_in_conf(clone: Clone, tmp_path: Path) -> None:
    clone.run("dvc", "exp", "run", "-n", "tried", "-S", f"{VALUE}=0.5", "export@heart")
    expected = model(clone)
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")
    clone.run("dvc", "exp", "apply", "tried")
    commit(clone, "applied")
    before = clone.read("params.yaml")

    stopped = clone.run(*MAKE, check=False)
    assert stopped.returncode
    assert "(experiment tried) holds what conf/ does not give" in stopped.stderr
    assert f"  {VALUE}: 0.1 → 0.5" in stopped.stderr
    assert "python -m commands adopt-experiment" in stopped.stderr
    assert (clone.read("params.yaml"), model(clone)) == (before, expected)

    clone.run(sys.executable, "-m", "commands", "adopt-experiment")
    assert "linear: { C: 0.5 }" in clone.read("conf/task/heart.yaml")
    assert clone.run("git", "diff", "--numstat", "conf").stdout.split() == [
        "1", "1", "conf/task/heart.yaml",
    ]  # fmt: skip
    # The experiment ended with the export: what comes after it is left to run, and nothing else.
    assert set(RUNNING.findall(clone.run(*MAKE).stdout)) == {
        "compose", "calibrate@heart", "monitor@heart",
    }  # fmt: skip
    assert (clone.read("params.yaml"), model(clone)) == (before, expected)

    commit(clone, "adopted")
    other = Clone(tmp_path / "other")
    clone.run("git", "clone", "-q", str(clone.path), str(other.path))
    other.run("dvc", "cache", "dir", "--local", str(clone.path / ".dvc/cache"))
    other.run("dvc", "checkout", "-q")
    assert RUNNING.findall(other.run(*MAKE).stdout) == []
    assert model(other) == expected


def test_an_experiment_is_adopted_by_its_name_onto_a_later_conf(clone: Clone) -> None:
    clone.run("dvc", "exp", "run", "-n", "named", "-S", f"{VALUE}=0.5", "prepare@heart")
    clone.run("git", "checkout", "-q", ".")
    clone.replace("conf/config.yaml", "bins: 10", "bins: 8")
    clone.compose()
    commit(clone, "another value")
    done = clone.run(sys.executable, "-m", "commands", "adopt-experiment", "named")
    assert f"  {VALUE}: 0.1 → 0.5" in done.stdout
    assert "linear: { C: 0.5 }" in clone.read("conf/task/heart.yaml")
    assert "bins: 8" in clone.read("conf/config.yaml")
    assert "C: 0.5" in clone.read("params.yaml")


def test_a_failed_experiment_leaves_nothing_that_is_lost_in_silence(clone: Clone) -> None:
    failed = clone.run(
        "dvc", "exp", "run", "-S", "task.heart.columns.age.range=[18,20]", "validate@heart",
        check=False,
    )  # fmt: skip
    assert failed.returncode
    stopped = clone.run(*MAKE, check=False)
    assert "task.heart.columns.age.range: [18, 100] → [18, 20]" in stopped.stderr
    clone.run(sys.executable, "-m", "commands", "compose", "--discard")
    assert clone.run("git", "status", "--porcelain", "params.yaml").stdout == ""
