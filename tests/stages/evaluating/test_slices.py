"""Slices cover all rows, importances tell what matters."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.evaluating import importance
from stages.evaluating.bootstrap import Bootstrap
from stages.evaluating.importance import compute_importances
from stages.evaluating.metrics import METRICS, Rows
from stages.evaluating.slices import (
    FEWEST_ROWS,
    Slice,
    cut_slices,
    read_slices,
    score_slices,
    sort_worst_first,
)
from stages.shared.schema import Field

AUC = next(metric for metric in METRICS if metric.name == "roc_auc")
RMSE = next(metric for metric in METRICS if metric.name == "rmse")
BOOTSTRAP = Bootstrap(50, 0.95, 1)
FIELDS = [
    Field(name="age", type="number"),
    Field(name="ca", type="integer"),
    Field(name="cp", type="category", values=("1", "2", "3")),
    Field(name="smoker", type="boolean"),
    Field(name="day", type="datetime"),
]


def matrix(rows: int = 400) -> Any:
    rng = np.random.default_rng(0)
    columns = [
        rng.normal(50, 10, rows),
        rng.choice([0, 0, 0, 0, 1, 2], rows),
        rng.choice([-1, 0, 1], rows),
        rng.integers(0, 2, rows),
        rng.integers(0, 86400 * 365, rows),
    ]
    X = np.column_stack(columns).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


def labels(field: Field, values: list[float], groups: int = 4) -> dict[str, int]:
    found = cut_slices([field], np.array(values)[:, None], groups)
    return {part.label: int(part.mask.sum()) for part in found}


def test_each_row_is_in_exactly_one_slice_of_each_column() -> None:
    parts = list(cut_slices(FIELDS, matrix(), 4))
    for field in FIELDS:
        masks = [part.mask for part in parts if part.column == field.name]
        assert (np.sum(masks, axis=0) == 1).all()


def test_a_number_is_cut_into_groups_of_equal_size() -> None:
    assert labels(FIELDS[0], list(range(8))) == {"0 to 1": 2, "2 to 3": 2, "4 to 5": 2, "6 to 7": 2}


def test_equal_values_stay_in_one_group() -> None:
    assert labels(FIELDS[1], [0] * 12 + [1, 2, 3]) == {"0": 12, "1 to 3": 3}


def test_a_category_has_a_slice_for_each_declared_value_and_for_what_is_not() -> None:
    found = labels(FIELDS[2], [0, 0, 1, -1, np.nan])
    assert found == {"1": 2, "2": 1, "3": 0, "not declared": 1, "missing": 1}


def test_a_boolean_has_two_slices() -> None:
    assert labels(FIELDS[3], [0, 1, 1]) == {"false": 1, "true": 2}


def test_texts_are_grouped_by_their_length() -> None:
    texts = np.array(["a" * n for n in (12, 15, 20, 40)] + [""], dtype=object)[:, None]
    found = cut_slices([Field(name="review", type="text")], texts, 2)
    sizes = {part.label: int(part.mask.sum()) for part in found}
    assert sizes == {"12 to 15 characters": 2, "20 to 40 characters": 2, "missing": 1}


def test_a_number_beside_a_text_is_cut_as_it_is_alone() -> None:
    fields = [FIELDS[0], Field(name="review", type="text")]
    X = np.array([[float(age), "good"] for age in range(8)], dtype=object)
    found = [part.label for part in cut_slices(fields, X, 4)]
    assert found == ["0 to 1", "2 to 3", "4 to 5", "6 to 7", "4 characters"]


def test_dates_are_shown_as_dates() -> None:
    assert labels(FIELDS[4], [0, 86400], groups=2) == {"1970-01-01": 1, "1970-01-02": 1}


def test_a_column_without_a_value_is_one_slice() -> None:
    assert labels(FIELDS[0], [np.nan] * 3) == {"missing": 3}


def one_slice(truth: list[int]) -> Any:
    rng, y = np.random.default_rng(0), np.array(truth)
    rows = Rows(y, rng.dirichlet([1, 1], len(y)))
    whole = Slice("all", "rows", np.ones(len(y), dtype=bool))
    return score_slices([whole], rows, AUC, BOOTSTRAP)[0]


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        ([0, 1] * 4, f"fewer than {FEWEST_ROWS} rows"),
        ([0] * 20 + [1] * 2, "fewer than 3 rows of a second class"),
        ([0] * 20 + [1] * 3, None),
    ],
)
def test_a_slice_too_small_has_a_reason_instead_of_a_value(truth: list[int], reason: Any) -> None:
    found = one_slice(truth)
    assert (found.reason, found.rows) == (reason, len(truth))
    assert (found.estimate is None) == (reason is not None)


def test_a_value_is_the_metric_of_the_slice_alone() -> None:
    truth = np.zeros(40)
    rows = Rows(truth, np.repeat([1.0, 3.0], 20))
    halves = [Slice("x", str(i), np.repeat([i == 0, i == 1], 20)) for i in range(2)]
    found = score_slices(halves, rows, RMSE, BOOTSTRAP)
    assert [part.estimate.value for part in found] == [1, 3]
    assert [part.label for part in sort_worst_first(found, RMSE)] == ["1", "0"]


def predict(X: Any) -> Any:
    """Probabilities that follow the first column alone."""
    positive = 1 / (1 + np.exp(-2 * X[:, 0]))
    return np.column_stack([1 - positive, positive])


def found_importances(rows: int = 500, names: tuple[str, ...] = ("decisive", "noise")) -> Any:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(rows, 2))
    y = (rng.random(rows) < predict(X)[:, 1]).astype(int)
    X = X[:, : len(names)]
    return compute_importances(predict, X, Rows(y, predict(X)), names, AUC, permutations=10, seed=3)


def test_a_decisive_column_matters_and_noise_does_not() -> None:
    decisive, noise = found_importances()
    assert decisive.mean > 0.3  # AUC falls from about 0.85 to chance
    assert decisive.deviation > 0
    assert (noise.mean, noise.deviation) == (0, 0)


def test_importance_of_an_error_is_what_it_grows_by() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 1))
    rows = Rows(X[:, 0], X[:, 0])  # a perfect prediction
    found = compute_importances(
        lambda matrix: matrix[:, 0], X, rows, ["x"], RMSE, permutations=5, seed=1
    )
    assert found[0].mean == pytest.approx(np.sqrt(2), abs=0.1)  # difference of two normals


def test_a_columns_importance_does_not_depend_on_the_columns_after_it() -> None:
    assert found_importances()[0] == found_importances(names=("decisive",))[0]


def test_many_rows_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importance, "MOST_ROWS", 100)
    seen: list[int] = []

    def count(X: Any) -> Any:
        seen.append(len(X))
        return predict(X)

    X = np.random.default_rng(0).normal(size=(500, 1))
    rows = Rows((X[:, 0] > 0).astype(int), predict(X))
    compute_importances(count, X, rows, ["x"], AUC, permutations=3, seed=1)
    assert seen == [300]


def test_a_column_that_no_model_sees_has_a_slice_for_each_value() -> None:
    frame = pd.DataFrame({"_row": [1, 2, 3, 4], "_slice_region": ["b", "a", None, "a"]})
    found = {(part.column, part.label): part.mask.tolist() for part in read_slices(frame)}
    assert found == {
        ("region", "a"): [False, True, False, True],
        ("region", "b"): [True, False, False, False],
        ("region", "missing"): [False, False, True, False],
    }
