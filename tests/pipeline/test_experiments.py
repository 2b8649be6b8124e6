"""Presets, searches and DVC's queue: each runs, with its own values, what these call for."""

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.experiments.sweep import Search, read_search
from stages.composing.config import compose_params, read_yaml
from stages.shared.errors import PipelineError
from tests.support.clone import ROOT, RUNNING, Clone, commit

PRESETS = sorted(path.stem for path in (ROOT / "conf/experiment").glob("*.yaml"))
DEBUG = sorted(path.stem for path in (ROOT / "conf/debug").glob("*.yaml"))
SEARCHES = sorted(path.stem for path in (ROOT / "conf/search").glob("*.yaml"))
SEARCH = """\
tasks: [heart]
values:
  task.heart.models.linear.C: [0.5, 2.0]
jobs: 2
"""


@pytest.fixture
def clone(pipeline: Clone) -> Iterator[Clone]:
    yield pipeline
    pipeline.restore()
    pipeline.run("dvc", "checkout", "-q", "--force")


def leaves(content: Any, key: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(content, dict) and content:
        for part, value in content.items():
            yield from leaves(value, (*key, part))
    else:
        yield key, content


@pytest.mark.parametrize(
    "preset", [*(f"experiment={name}" for name in PRESETS), *(f"debug={name}" for name in DEBUG)]
)
def test_every_value_of_a_preset_arrives(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    params = read_yaml(compose_params([preset]))
    path = ROOT / "conf" / f"{preset.replace('=', '/')}.yaml"
    content = read_yaml(path.read_text(encoding="utf-8"))
    assert f"dvc exp run -S {preset}" in path.read_text(encoding="utf-8")
    composed = dict(leaves(params))
    assert {key: composed.get(key) for key, _ in leaves(content)} == dict(leaves(content))


@pytest.mark.parametrize("preset", [it for it in PRESETS if it != "quick"])
def test_a_preset_runs(clone: Clone, preset: str) -> None:
    """On top of `quick`, of which the pipeline that this starts from is the run."""
    done = clone.run("dvc", "exp", "run", "-S", f"experiment=[quick,{preset}]")
    assert "evaluate-heart" in RUNNING.findall(done.stdout)
    assert "up to date" in clone.run("dvc", "status").stdout


@pytest.mark.parametrize("preset", [it for it in DEBUG if it != "overfit"])
def test_a_debug_preset_runs(clone: Clone, preset: str) -> None:
    """One task is enough: the values of every task are held to arrive above."""
    done = clone.run("dvc", "exp", "run", "-S", f"debug={preset}", "export@heart")
    assert "compose" in RUNNING.findall(done.stdout)
    assert "up to date" in clone.run("dvc", "status", "export@heart").stdout


def test_a_model_that_overfits_learns_its_rows_by_heart(clone: Clone) -> None:
    clone.run("dvc", "exp", "run", "-S", "debug=overfit", "train@heart-xgboost")
    folder = "data/candidates/heart/xgboost/curves/plots/metrics"
    train, validation = (
        float(clone.read(f"{folder}/{part}/loss.tsv").split()[-1])
        for part in ("train", "validation")
    )
    assert train < 0.02 < 0.2 < validation


@pytest.mark.parametrize("name", SEARCHES)
def test_every_combination_of_a_search_composes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    search = read_search(name)
    known = dict(leaves(read_yaml(compose_params())))
    for key, choices in search.values.items():
        assert tuple(key.split(".")) in known, (
            f"{key} is no parameter yet: a new one changes nothing"
        )
        for choice in choices:
            compose_params([f"{key}={choice}"])


def test_a_search_is_queued_in_the_grammar_of_hydra() -> None:
    search = Search.parse(
        {"values": {"a.b": [1, 0.5, None, True], "c": ["x"]}, "fixed": {"d": 0}, "tasks": ["t"]}, ""
    )
    assert search.queueing() == [
        *["dvc", "exp", "run", "--queue", "-S", "d=0", "-S", "a.b=1,0.5,null,true", "-S", "c=x"],
        "evaluate-t",
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("values: {a: []}", "values.a"),
        ("values: {}", "values"),
        ("value: {a: [1]}", "unknown key"),
        ("values: {a: [1]}\njobs: 0", "jobs"),
    ],
)
def test_a_wrong_search_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/search").mkdir(parents=True)
    (tmp_path / "conf/search/made.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError, match=re.escape(named)):
        read_search("made")
    with pytest.raises(PipelineError, match="there are: made"):
        read_search("other")


def test_a_sweep_runs_what_its_values_call_for_and_ranks_it(clone: Clone) -> None:
    clone.write("conf/search/made.yaml", SEARCH)
    commit(clone, "a search")
    done = clone.run(sys.executable, "-m", "commands", "sweep", "made")
    assert [*executed(done.stdout).values()] == [
        {"compose", "train@heart-linear", "evaluate-heart"}
    ] * 2
    for value in ("0.5", "2.0"):
        assert re.search(
            rf"^\d+ +linear .*task\.heart\.models\.linear\.C={value}$", done.stdout, re.M
        )


def test_queued_experiments_run_side_by_side(clone: Clone) -> None:
    queued = clone.run(
        "dvc", "exp", "run", "--queue", "-S", "model.xgboost.max_depth=2,4,6", "evaluate-housing"
    )
    names = re.findall(r"Queued experiment '([^']+)'", queued.stdout)
    assert len(names) == 3
    clone.run("dvc", "queue", "start", "-j", "2")
    wait_for(clone, names)
    for name in names:
        log = clone.run("dvc", "queue", "logs", name).stdout
        assert {"train@housing-xgboost"} <= set(RUNNING.findall(log)) <= {
            "compose", "train@housing-xgboost", "evaluate-housing",
        }  # fmt: skip


def executed(printed: str) -> dict[str, set[str]]:
    """Return the stages that ran, by experiment."""
    parts = re.split(r"^Reproducing experiment '([^']+)'$", printed, flags=re.M)
    return {
        name: set(re.findall(r"^Running stage '([^']+)'", text, re.M))
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def wait_for(clone: Clone, names: list[str], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status = clone.run("dvc", "queue", "status").stdout
        ended = {name for name in names if re.search(rf"{name} .*(Success|Failed)", status)}
        if ended == set(names):
            assert "Failed" not in status, status
            return
        time.sleep(2)
    raise AssertionError(f"{os.linesep}{status}")
