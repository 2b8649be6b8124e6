"""A search finds what is better, goes on where it was killed, and changes nothing by itself."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from optuna.trial import TrialState
from ruamel.yaml import YAML
from sklearn.metrics import roc_auc_score

from commands.experiments.adopt import adopt_values, read_best
from stages.composing.checking import check_tuning
from stages.contract.cross_validation import CrossValidation
from stages.contract.task import Task
from stages.contract.tuning import Tuning
from stages.evaluating.metrics import DecisionRule, find_metric
from stages.shared.errors import PipelineError
from stages.shared.model import Model
from stages.shared.schema import Schema
from stages.training.crossval import predict_out_of_fold
from stages.training.fitting import Recipe
from stages.tuning.objective import Objective
from stages.tuning.results import compute_importances, render_best
from stages.tuning.space import Range, Values
from stages.tuning.study import list_counted, open_study, read_values, search
from tests.support.clone import Clone
from tests.support.servers import PASSWORD, postgres_binaries, postgres_server

SPACE = {
    "x": Range(low=-10.0, high=10.0),
    "n": Range(low=1, high=9),
    "c": Range(choices=("a", "b")),
}
TUNING = Tuning(trials=20, seed=3)


def bowl(values: Values) -> Iterator[float]:
    """Five folds whose mean is lowest at x = 2, and lower for b than for a."""
    x, c = values["x"], values["c"]
    assert isinstance(x, float)
    for fold in range(5):
        yield (x - 2) ** 2 + (c == "a") + fold / 100


def tried(folder: Path) -> list[Values]:
    return [read_values(trial) for trial in list_counted(open_study(folder, "bowl", -1))]


def test_the_best_is_near_the_lowest_point(tmp_path: Path) -> None:
    study = open_study(tmp_path, "bowl", -1)
    best = search(study, SPACE, Tuning(trials=60, seed=3), bowl)[0]
    assert read_values(best)["c"] == "b"
    assert abs(float(str(read_values(best)["x"])) - 2) < 1
    assert best.value == pytest.approx(np.mean(list(bowl(read_values(best)))))


def test_the_same_seed_tries_the_same(tmp_path: Path) -> None:
    for name in ("one", "other"):
        search(open_study(tmp_path / name, "bowl", -1), SPACE, TUNING, bowl)
    assert tried(tmp_path / "one") == tried(tmp_path / "other")
    search(open_study(tmp_path / "third", "bowl", -1), SPACE, Tuning(trials=20, seed=4), bowl)
    assert tried(tmp_path / "third") != tried(tmp_path / "one")


def killed_in(folder: Path, trial: int) -> None:
    """Kill this process in the middle of a trial."""
    count = 0

    def score(values: Values) -> Iterator[float]:
        nonlocal count
        count += 1
        for value in bowl(values):
            yield value
            if count == trial:
                os.kill(os.getpid(), signal.SIGKILL)

    search(open_study(folder, "bowl", -1), SPACE, TUNING, score)


def test_killed_it_goes_on_and_finds_the_same(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    for trial in (4, 9):
        process = context.Process(target=killed_in, args=(tmp_path / "killed", trial))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert len(tried(tmp_path / "killed")) == 3 + 8
    search(open_study(tmp_path / "killed", "bowl", -1), SPACE, TUNING, bowl)
    search(open_study(tmp_path / "whole", "bowl", -1), SPACE, TUNING, bowl)
    assert tried(tmp_path / "killed") == tried(tmp_path / "whole")


def share(folder: Path) -> None:
    search(open_study(folder, "shared", -1), SPACE, Tuning(trials=16), slow_bowl)


def slow_bowl(values: Values) -> Iterator[float]:
    time.sleep(0.1)
    yield from bowl(values)


def test_workers_share_a_study_in_postgresql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if postgres_binaries() is None:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    with postgres_server() as server:
        monkeypatch.setenv("TUNE_STORAGE", server.url(quote(PASSWORD, safe="")))
        open_study(tmp_path, "shared", -1)
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=share, args=(tmp_path,)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        done = list_counted(open_study(tmp_path, "shared", -1))
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(done) in (16, 17)  # the other's last trial may still have been running
    assert len({str(read_values(trial)) for trial in done}) == len(done)
    assert not list(tmp_path.iterdir())


def test_a_storage_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNE_STORAGE", f"postgresql://me:hush@/study?host={tmp_path}")
    with pytest.raises(PipelineError, match="TUNE_STORAGE") as caught:
        open_study(tmp_path, "shared", -1)
    assert "hush" not in str(caught.value)


def test_a_failing_trial_costs_one_trial(tmp_path: Path) -> None:
    def score(values: Values) -> Iterator[float]:
        if values["c"] == "a":
            raise ValueError("a does not fit")
        yield from bowl(values)

    study = open_study(tmp_path, "bowl", -1)
    found = search(study, SPACE, TUNING, score)
    assert len(list_counted(study)) == 20
    assert {read_values(trial)["c"] for trial in found} == {"b"}
    failed = study.get_trials(states=(TrialState.FAIL,))
    assert {trial.user_attrs["error"] for trial in failed} == {"ValueError: a does not fit"}


def test_where_all_fail_the_reason_is_named(tmp_path: Path) -> None:
    def score(_: Values) -> Iterator[float]:
        yield float("nan")

    with pytest.raises(PipelineError, match="the score of a fold is nan"):
        search(open_study(tmp_path, "bowl", -1), SPACE, Tuning(trials=3), score)


def test_a_hopeless_trial_is_given_up_before_its_last_fold(tmp_path: Path) -> None:
    scored: list[int] = []

    def score(values: Values) -> Iterator[float]:
        scored.append(0)
        for value in bowl(values):
            scored[-1] += 1
            yield value

    study = open_study(tmp_path, "bowl", -1)
    search(study, SPACE, Tuning(trials=30, seed=1), score)
    given_up = [trial for trial in list_counted(study) if "given up" in trial.user_attrs]
    assert given_up
    assert sum(scored) < 5 * 30
    for trial in given_up:  # the folds differ by the same in every trial: the rest is foreseen
        assert len(trial.intermediate_values) <= 5
        assert trial.value == pytest.approx(np.mean(list(bowl(read_values(trial)))))


def test_the_argument_that_matters_is_the_most_important(tmp_path: Path) -> None:
    study = open_study(tmp_path, "bowl", -1)
    search(study, SPACE, Tuning(trials=60, seed=3), bowl)
    shares = {point["argument"]: point["importance"] for point in compute_importances(study)}
    assert max(shares, key=shares.__getitem__) == "x"
    assert sum(shares.values()) == pytest.approx(1, abs=1e-4)


def test_a_fold_is_scored_as_evaluate_scores_it() -> None:
    """The mean over folds of the out-of-fold predictions that `train` leaves."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    y = (X[:, 0] + rng.normal(size=80) > 0).astype(np.int64)
    cv = CrossValidation(folds=4, repeats=2, seed=1)
    recipe = Recipe(*made_recipe())
    metric = find_metric("roc_auc", "classification", "")
    found = list(Objective(X, y, None, cv, metric, DecisionRule()).score_folds(recipe))
    table, _ = predict_out_of_fold(recipe, X, y, cv)
    truth = np.tile(y, 2)
    groups = table.assign(truth=truth).groupby(["repeat", "fold"])
    assert found == pytest.approx([roc_auc_score(part["truth"], part["p_1"]) for _, part in groups])


def made_recipe() -> tuple[Model, Schema]:
    model = Model.parse(
        {
            "_target_": {"classification": "sklearn.linear_model.LogisticRegression"},
            "_complexity_": 1,
            "C": 1.0,
        },
        "",
    )
    fields = [{"name": name, "type": "number"} for name in ("a", "b")]
    content = {"problem": "classification", "labels": ["no", "yes"], "fields": fields}
    return model, Schema.parse(content, "")


CONTRACT = """\
metric: roc_auc
models: # with what differs
  linear: { C: 0.1 } # small
  xgboost: { max_depth: 3, _early_stopping_: null }
  forest:
    n_estimators: 300

cv: { repeats: 3 }
"""


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ("linear", "  linear: { C: 0.1, n: 2 } # small"),
        ("xgboost", "  xgboost: { max_depth: 3, _early_stopping_: null, n: 2 }"),
        ("forest", "    n: 2"),
    ],
)
def test_what_is_adopted_changes_one_model_only(model: str, line: str) -> None:
    text = adopt_values(CONTRACT, model, {"n": 2})
    before, after = (YAML(typ="safe").load(content) for content in (CONTRACT, text))
    assert after["models"].pop(model) == {**before["models"].pop(model), "n": 2}
    assert before == after
    assert line in text.splitlines()
    kept = [line for line in CONTRACT.splitlines() if model not in line]
    assert [line for line in text.splitlines() if line in kept] == kept


def test_a_model_without_a_line_of_its_own_is_changed_too() -> None:
    text = adopt_values("models: { linear: , forest: }\n", "linear", {"C": 2})
    assert text == "models: { linear: { C: 2 }, forest: }\n"


@pytest.mark.parametrize(("better", "after"), [("higher", 0.8), ("lower", 0.9), ("higher", 0.7)])
def test_nothing_worse_is_adopted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, better: str, after: float
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data/tuned/t/m/best.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(f"{{metric: x, better: {better}, before: 0.8, after: {after}, values: {{}}}}")
    with pytest.raises(PipelineError, match="no better than"):
        read_best("t", "m")
    with pytest.raises(PipelineError, match="is not here"):
        read_best("t", "other")


def test_best_yaml_says_what_was_found(tmp_path: Path) -> None:
    study = open_study(tmp_path, "bowl", -1)
    best = search(study, SPACE, TUNING, bowl)[0]
    content = YAML(typ="safe").load(render_best(best, study, 9.0, "rmse"))
    assert content["values"] == read_values(best)
    assert (content["better"], content["before"], content["trials"]) == ("lower", 9.0, 20)


@pytest.mark.parametrize(
    "content",
    [
        {"low": 1},
        {"low": 3, "high": 2},
        {"low": 0, "high": 1, "log": True},
        {},
        {"low": 1, "choices": [2]},
    ],
)
def test_a_range_that_is_none_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(PipelineError):
        Range.parse(content, "conf/tune/m.yaml: x")


def test_a_model_to_tune_needs_a_space_and_a_place_in_the_task() -> None:
    task = Task.model_construct(models={"linear": {}}, tune={"forest": None})
    with pytest.raises(PipelineError, match="none of its models"):
        check_tuning("t", task, {"forest": {}})
    task = Task.model_construct(models={"forest": {}}, tune={"forest": None})
    with pytest.raises(PipelineError, match=r"has no conf/tune/forest\.yaml"):
        check_tuning("t", task, {})


def test_the_pipeline_tunes_on_demand_and_a_person_adopts(pipeline: Clone) -> None:
    pipeline.replace("conf/task/heart.yaml", "metric: roc_auc", f"metric: roc_auc\n{TUNE}")
    pipeline.compose()
    executed = pipeline.repro()
    assert executed == {"compose", "tune@heart-forest"}
    best = YAML(typ="safe").load(pipeline.read("data/tuned/heart/forest/best.yaml"))
    assert best["trials"] == 4
    assert set(best["values"]) == {"min_samples_leaf", "max_features", "max_depth"}
    assert pipeline.repro() == set()
    before = read_forest(pipeline)
    pipeline.write(
        "data/tuned/heart/forest/best.yaml",
        "{metric: roc_auc, better: higher, before: 0.8, after: 0.9, values: {max_depth: 4}}",
    )
    pipeline.run(sys.executable, "-m", "commands", "adopt", "heart", "forest")
    pipeline.compose()
    assert "max_depth" not in before
    assert read_forest(pipeline) == {**before, "max_depth": 4}


def read_forest(clone: Clone) -> dict[str, Any]:
    """Return the arguments that heart's forest is to be trained with."""
    params = YAML(typ="safe").load(clone.read("params.yaml"))
    arguments: dict[str, Any] = params["task"]["heart"]["models"]["forest"]
    return arguments


TUNE = "tune: { forest: { trials: 4 } }"
