"""Copies of a row stay together in every fold, as they do in the splits."""

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from stages.contract.cross_validation import CrossValidation
from stages.shared.folds import count_groups, deal_folds, read_groups
from stages.shared.model import Model
from stages.shared.schema import Field, Schema
from stages.train import predict_rows_out_of_fold
from stages.training.fitting import Recipe

CV = CrossValidation(folds=5, repeats=2, seed=3)
SCHEMA = Schema(
    problem="classification",
    fields=tuple(Field(name=name, type="number") for name in ("a", "b", "c")),
    labels=("0", "1"),
    positive="1",
)


def noise(rows: int = 100, copies: int = 1) -> pd.DataFrame:
    """Return rows whose class has nothing to do with their columns, each so many times."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    frame["_target"] = rng.integers(0, 2, rows).astype(str)
    frame = pd.concat([frame] * copies, ignore_index=True)
    return frame.assign(_row=range(len(frame)))


def nearest() -> Recipe:
    target = "sklearn.neighbors.KNeighborsClassifier"
    model = Model.parse(
        {"_target_": {"classification": target}, "_complexity_": 1, "n_neighbors": 1}, "here"
    )
    return Recipe(model, SCHEMA)


def test_copies_do_not_make_noise_predictable() -> None:
    """Whoever remembers a row knows its copies: with them apart the AUC would be 1."""
    frame = noise(copies=4)
    found, _ = predict_rows_out_of_fold(nearest(), frame[:300], frame[300:], CV)
    truth = frame["_target"].to_numpy()[found["_row"]]
    assert 0.3 < roc_auc_score(truth == "1", found["p_1"]) < 0.7
    assert (found.groupby(["repeat", found["_row"] % 100])["fold"].nunique() == 1).all()


def test_a_table_without_copies_has_no_groups() -> None:
    """Its folds then are those of scikit-learn's StratifiedKFold, which balances them best."""
    assert read_groups(noise(), SCHEMA) is None
    assert count_groups(None, 100) == 100


def test_rows_that_differ_in_an_ignored_column_or_the_target_alone_are_copies() -> None:
    frame = noise(copies=2).assign(seen=range(200))
    frame.loc[:99, "_target"] = "1"
    groups = read_groups(frame, SCHEMA)
    assert groups is not None
    assert (groups[:100] == groups[100:]).all()
    assert count_groups(groups, 200) == 100


def test_missing_equals_missing_and_minus_zero_is_zero() -> None:
    frame = noise(60)
    frame.loc[:2, ["a", "b", "c"]] = [[0.0, np.nan, 1], [-0.0, np.nan, 1], [0.0, 2.0, 1]]
    groups = read_groups(frame, SCHEMA)
    assert groups is not None
    assert groups[:3].tolist() == [0, 0, 1]


def test_rows_that_chance_makes_equal_are_no_copies() -> None:
    """Three columns of two values each: any of 100 people has a twin."""
    frame = noise()
    frame[["a", "b", "c"]] = frame[["a", "b", "c"]] > 0
    assert read_groups(frame, SCHEMA) is None


def test_the_group_that_a_split_keeps_goes_before_copies() -> None:
    frame = noise(4).assign(_group=["x", None, "x", None])
    assert read_groups(frame, SCHEMA).tolist() == [0, 1, 0, 1]  # type: ignore[union-attr]


@pytest.mark.parametrize("is_classification", [True, False])
def test_few_copies_leave_folds_of_equal_size_and_classes_in_proportion(
    is_classification: bool,
) -> None:
    groups = np.append(np.arange(990), np.arange(10))
    y = (np.random.default_rng(0).random(1000) < 0.1).astype(int)
    for fitted, held in deal_folds(y, 5, 1, is_classification, groups):
        assert not set(groups[fitted]) & set(groups[held])
        assert 190 <= len(held) <= 210
        assert not is_classification or abs(y[held].mean() - y.mean()) < 0.02


def test_many_rows_of_which_few_are_copies_are_dealt_at_once() -> None:
    """Group by group, 100,000 rows take a quarter of a minute."""
    groups = np.append(np.arange(99_900), np.arange(100))
    y = np.arange(100_000) % 3
    began = time.process_time()
    found = deal_folds(y, 5, 1, True, groups)
    assert time.process_time() - began < 3
    assert sorted(np.concatenate([held for _, held in found])) == list(range(100_000))
