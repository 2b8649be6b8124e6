"""The accuracy benchmark drafts as a person would, and compares in pairs."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import contrast, draft, render_row, summarise
from benchmarks.public_tables import list_tables
from stages.evaluating.metrics import Rows, find_metric

TABLES = dict(list_tables(Path("nowhere")))


def test_at_least_twenty_tables_are_public() -> None:
    assert len(TABLES) >= 20


@pytest.mark.parametrize(("name", "metric"), [("iris", "accuracy"), ("diabetes", "rmse")])
def test_a_draft_keeps_every_row_once(name: str, metric: str) -> None:
    table = TABLES[name]()
    drafted = draft(table, seed=1)
    assert drafted.metric.name == metric
    assert len(drafted.known) + len(drafted.test) == len(table.frame)
    assert not set(drafted.known["_row"]) & set(drafted.test["_row"])


def test_a_gain_is_counted_in_errors_of_the_pair() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    error = rng.normal(size=200)
    rmse, r2 = (find_metric(name, "regression", "here") for name in ("rmse", "r2"))
    own, peer = Rows(truth, truth + 0.9 * error), Rows(truth, truth + error)
    found = contrast(own, peer, rmse, r2)
    assert found["gain"] > 0
    assert found["errors"] > 5  # the same errors but for their size: nearly certain
    assert contrast(own, own, rmse, r2)["errors"] == 0


def test_the_means_are_over_the_tables() -> None:
    peers = {"LightGBM": {"score": 0.8, "errors": 1.0}, "CatBoost": {"score": 0.9, "errors": -2.0}}
    one = {"table": "t", "rows": 9, "metric": "r2", "champion": "linear", "score": [0.7, 0.6, 0.8]}
    found = [{**one, "peers": peers}, {**one, "score": [0.9, 0.8, 1.0], "peers": peers}]
    assert render_row(found[0]).endswith("| 0.700 [0.600, 0.800] | 0.800 (+1.0) | 0.900 (-2.0) |")
    assert list(summarise(found)) == [
        "mean test score 0.8000 over 2 tables",
        "LightGBM 0.8000; the champion gains +1.00 standard errors on average",
        "CatBoost 0.9000; the champion gains -2.00 standard errors on average",
    ]
