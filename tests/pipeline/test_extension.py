"""A task is one YAML file, a model family is one, and taken out neither leaves a trace."""

import json

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from tests.support.clone import Clone

MODEL = """\
# Extremely randomised trees.
_target_: { classification: sklearn.ensemble.ExtraTreesClassifier }
_complexity_: 2
n_estimators: 30
min_samples_leaf: 3
random_state: 1
"""
TASK = """\
title: Ripeness of fruit
sources:
  sample: { path: data/sample/fruit.csv, delimiter: ";", decimal: "," }
target:
  expression: col('Ripeness class')
  classes: [green, ripe, rotten]
columns:
  Sugar content: { type: number, unit: "%", range: [0, 40], missing: allowed }
  days: { type: integer, unit: days, range: [0, 60] }
  colour: { type: category, values: [green, yellow, brown] }
  organic: { type: boolean }
  picked: { type: datetime }
metric: log_loss
models: { linear: , extra_trees: }
"""


@pytest.fixture(scope="module")
def extended(pipeline: Clone) -> Clone:
    """The pipeline with one more task (three classes, all column types) and one more model."""
    pipeline.write("conf/task/fruit.yaml", TASK)
    pipeline.write("conf/model/extra_trees.yaml", MODEL)
    pipeline.write("data/sample/fruit.csv", fruit().to_csv(index=False, sep=";", decimal=","))
    pipeline.replace("conf/task/heart.yaml", "  forest:", "  extra_trees:\n  forest:")
    pipeline.compose()
    executed = pipeline.repro()
    assert {"export@fruit", "train@fruit-extra_trees", "train@heart-extra_trees"} <= executed
    assert not any("housing" in name for name in executed)
    return pipeline


def fruit(rows: int = 400) -> pd.DataFrame:
    """Simulate fruit that ripens with the days: sugar rises, colour turns."""
    rng = np.random.default_rng(5)
    days = rng.integers(0, 40, rows)
    ripeness = np.digitize(days + rng.normal(0, 4, rows), [12, 28])
    sugar = np.round(5 + days / 4 + rng.normal(0, 1.5, rows), 2).clip(0)
    return pd.DataFrame(
        {
            "days": days,
            "Sugar content": np.where(rng.random(rows) < 0.05, np.nan, sugar),
            "colour": np.array(["green", "yellow", "brown"])[ripeness],
            "organic": rng.random(rows) < 0.4,
            "picked": pd.Timestamp("2026-05-01") + pd.to_timedelta(rng.integers(0, 90, rows), "D"),
            "Ripeness class": np.array(["green", "ripe", "rotten"])[
                np.where(rng.random(rows) < 0.1, rng.integers(0, 3, rows), ripeness)
            ],
        }
    )


def test_the_new_task_is_exported_with_its_contract(extended: Clone) -> None:
    manifest = json.loads(extended.read("models/fruit/manifest.json"))
    assert manifest["target"]["labels"] == ["green", "ripe", "rotten"]
    assert [column["name"] for column in manifest["columns"]] == [
        "Sugar content", "days", "colour", "organic", "picked",
    ]  # fmt: skip


def test_the_new_model_competes_in_both_tasks(extended: Clone) -> None:
    for task in ("fruit", "heart"):
        evaluation = json.loads(extended.read(f"data/evaluated/{task}/evaluation.json"))
        assert "extra_trees" in json.dumps(evaluation["candidates"])


def test_neither_needed_a_change_outside_its_yaml(extended: Clone) -> None:
    changed = extended.run("git", "status", "--porcelain", "-uall").stdout.split("\n")
    paths = {line[3:] for line in changed if line}
    assert not [path for path in paths if path.endswith(".py")]


def test_a_model_taken_out_leaves_nothing_that_could_win(extended: Clone) -> None:
    (extended.path / "conf/model/extra_trees.yaml").unlink()
    extended.replace("conf/task/heart.yaml", "  extra_trees:\n", "")
    extended.replace("conf/task/fruit.yaml", ", extra_trees:", "")
    extended.compose()
    extended.repro()
    for path in ("dvc.yaml", "params.yaml", "dvc.lock", "data/evaluated/heart/evaluation.json"):
        assert "extra_trees" not in extended.read(path), path
    assert not list((extended.path / "data/candidates").glob("*/extra_trees"))


def test_a_task_taken_out_is_no_longer_served(extended: Clone) -> None:
    (extended.path / "conf/task/fruit.yaml").unlink()
    extended.compose()
    assert extended.repro() <= {"compose"}
    assert not (extended.path / "models/fruit").exists()
    composed = {path.name for path in (extended.path / "data/composed").glob("*/")}
    assert composed == {path.stem for path in (extended.path / "conf/task").glob("*.yaml")}
    lock = YAML(typ="safe").load(extended.read("dvc.lock"))
    assert not [name for name in lock["stages"] if "fruit" in name]
