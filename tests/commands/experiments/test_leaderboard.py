"""The leaderboard lists each candidate once, best first, with where it comes from."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commands.experiments.compare import compare_experiments, find_rows, format_rows
from commands.experiments.ranking.entries import Entry, collect_entries
from commands.experiments.ranking.history import list_states
from commands.experiments.ranking.table import format_tables
from stages.shared.errors import PipelineError
from tests.support.clone import Clone, commit

PARAMS = "task:\n  fruit:\n    models:\n      linear:\n        C: {}\n"


def make_evaluation(**means: float) -> dict[str, Any]:
    """A result in which the best mean is the champion, and 0.5 its value on the test rows."""
    champion = max(means, key=means.__getitem__)
    return {
        "task": "fruit",
        "metric": "roc_auc",
        "higher_is_better": True,
        "candidates": [
            {
                "model": name,
                "mean": mean,
                "standard_error": 0.01,
                "chosen": name == champion,
                "scores": [[mean - 0.01, mean + 0.01]],
                "trained": {},
            }
            for name, mean in means.items()
        ],
        "test": {
            "rows": 40,
            "confidence": 0.9,
            "metrics": {"roc_auc": {"value": 0.5, "low": 0.4, "high": 0.6}},
        },
    }


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A commit in which linear wins, with an experiment in which a larger C loses."""
    monkeypatch.chdir(tmp_path)
    clone = Clone(tmp_path)
    clone.run("git", "init", "-q")
    clone.run("git", "config", "user.name", "test")
    clone.run("git", "config", "user.email", "test@localhost")
    clone.write(".gitignore", "cache\n")
    keep(clone, make_evaluation(linear=0.8, forest=0.7), C=1)
    commit(clone, "base")
    base = clone.run("git", "rev-parse", "HEAD").stdout.strip()
    keep(clone, make_evaluation(linear=0.6, forest=0.7), C=9)
    commit(clone, "experiment")
    clone.run("git", "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/brave-fig", "HEAD")
    clone.run("git", "reset", "-q", "--hard", base)
    return clone


def keep(clone: Clone, result: dict[str, Any], C: int) -> None:
    """Write the result into the cache, and the lock file and parameters that go with it."""
    content = json.dumps(result)
    digest = hashlib.md5(content.encode()).hexdigest()
    clone.write(f"cache/{digest[:2]}/{digest[2:]}", content)
    out = f"    - path: data/evaluated/fruit/evaluation.json\n      md5: {digest}\n"
    clone.write("dvc.lock", f"stages:\n  evaluate-fruit:\n    outs:\n{out}")
    clone.write("params.yaml", PARAMS.format(C))


def list_entries(clone: Clone, commits: int = 1) -> list[Entry]:
    return collect_entries(list_states(commits), clone.path / "cache")[0]


def test_a_candidate_is_listed_where_it_was_first(repository: Clone) -> None:
    listed = {
        (entry.state.experiment, entry.model): entry.mean for entry in list_entries(repository)
    }
    assert listed == {("", "linear"): 0.8, ("", "forest"): 0.7, ("brave-fig", "linear"): 0.6}


def test_an_experiment_says_what_it_set(repository: Clone) -> None:
    changes = {entry.state.experiment: entry.changes for entry in list_entries(repository)}
    assert changes == {"": (), "brave-fig": ("task.fruit.models.linear.C=9",)}


def test_only_a_champion_has_been_tested(repository: Clone) -> None:
    assert [(entry.model, entry.test) for entry in list_entries(repository) if entry.test] == [
        ("linear", (0.5, 0.4, 0.6))
    ]


def test_the_best_comes_first_and_long_tables_are_cut(repository: Clone) -> None:
    lines = format_tables(list_entries(repository), most=2).splitlines()
    assert "roc_auc, higher is better" in lines[0]
    assert "40 test rows [90 % interval]" in lines[0]
    assert [line.split()[:2] for line in lines[2:4]] == [["1", "linear"], ["2", "forest"]]
    assert "0.800 ± 0.010" in lines[2]
    assert "0.500 [0.400, 0.600]" in lines[2]
    assert lines[4] == "… and 1 more (--top)"


def test_errors_are_ranked_the_other_way_round(repository: Clone) -> None:
    result = {**make_evaluation(a=2.0, b=1.0), "higher_is_better": False}
    keep(repository, result, C=1)
    commit(repository, "errors")
    lines = format_tables(list_entries(repository), most=5).splitlines()
    assert [line.split()[1] for line in lines[2:4]] == ["b", "a"]


def test_results_that_the_cache_lacks_are_counted(repository: Clone) -> None:
    assert collect_entries(list_states(1), repository.path / "elsewhere") == (
        [],
        3,
    )  # commit, experiment, here


def test_the_workspace_is_listed_where_it_differs(repository: Clone) -> None:
    keep(repository, make_evaluation(linear=0.8, forest=0.75), C=1)
    workspace = [
        entry for entry in list_entries(repository) if entry.state.experiment == "workspace"
    ]
    assert [(entry.model, entry.mean, entry.state.commit) for entry in workspace] == [
        ("forest", 0.75, "")
    ]


def test_earlier_commits_are_listed_on_demand(repository: Clone) -> None:
    keep(repository, make_evaluation(linear=0.9, forest=0.7), C=1)
    commit(repository, "later")
    assert {entry.mean for entry in list_entries(repository)} == {0.9, 0.7}
    assert {entry.mean for entry in list_entries(repository, commits=2)} == {0.9, 0.8, 0.7, 0.6}


def test_commits_and_experiments_are_compared_by_their_champions(
    repository: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.experiments.compare.Repo", lambda: open_cache(repository.path))
    keep(repository, make_evaluation(linear=0.8, forest=0.7), C=5)
    head, rows = format_rows(find_rows(commits=1))
    assert head == ["commit", "experiment", "when", "fruit roc_auc", "set to"]
    assert [[row[1], *row[3:]] for row in rows] == [
        ["", "0.500 linear", ""],
        ["brave-fig", "0.500 forest", "task.fruit.models.linear.C=9"],
        ["workspace", "·", "task.fruit.models.linear.C=5"],
    ]


def test_without_results_there_is_nothing_to_compare(
    repository: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "commands.experiments.compare.Repo", lambda: open_cache(repository.path / "x")
    )
    with pytest.raises(PipelineError, match="make repro"):
        compare_experiments(commits=1)


def open_cache(path: Path) -> Any:
    """What DVC's Repo says of its cache, without a DVC repository."""
    return SimpleNamespace(cache=SimpleNamespace(local=SimpleNamespace(path=str(path / "cache"))))


def test_a_champion_no_better_than_its_baseline_says_so(repository: Clone) -> None:
    found = make_evaluation(linear=0.8)
    found["test"]["over_baseline"] = {"mean": 0.01, "low": -0.1, "high": 0.1}
    keep(repository, found, C=1)
    commit(repository, "noise")
    entries = list_entries(repository)
    assert [entry.beats_baseline for entry in entries] == [False]
    assert "0.500 [0.400, 0.600], no better than the baseline" in format_tables(entries, 9)
