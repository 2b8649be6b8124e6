"""Out of fold: the score that `evaluate` has, on the same rows, and what may be missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from commands.review.commits import Commit
from commands.review.findings import gather_findings
from commands.review.out_of_fold import FoldQuestion, Part
from commands.review.settings import ReportSettings
from commands.review.snapshot import Snapshot
from commands.review.store import Store
from stages.evaluating.metrics import Rows, find_metric
from stages.shared.schema import ROW, TARGET
from tests.support.report_fixtures import GATE, Content, World, edited

SETTINGS = ReportSettings.parse(GATE, "test")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: Any) -> World:
    made = World(tmp_path / "repository")
    monkeypatch.chdir(made.root)
    return made


def compare_with(world: World, base: str) -> Any:
    store = Store(world.root)
    one, head = Commit("base", base), Commit("HEAD", world.git("rev-parse", "HEAD"))
    return gather_findings(
        one, head, Snapshot.of(one, store), Snapshot.here(store), SETTINGS
    ).compared[0]


def average_folds(content: Content) -> float:
    """Compute the cross-validated ROC AUC with scikit-learn."""
    known = pd.concat([content.frames["train"], content.frames["validation"]])
    truth = known.set_index(ROW)[TARGET] == content.schema.labels[1]  # type: ignore[union-attr]
    table = content.out_of_fold()
    return float(
        np.mean(
            [
                roc_auc_score(truth.loc[held[ROW]], held["p_1"])
                for _, held in table.groupby(["repeat", "fold"])
            ]
        )
    )


def test_the_scores_are_the_means_over_the_folds(world: World) -> None:
    contents = Content(noise=0.3), Content(noise=1.0, seed=1)
    base, _ = (world.save({"demo": content}) for content in contents)
    found = compare_with(world, base).out_of_fold
    assert found.name == "roc_auc out of fold"
    assert found.rows == 400
    assert (found.base, found.here) == pytest.approx(tuple(map(average_folds, contents)))


def test_rows_that_came_later_do_not_count(world: World) -> None:
    before = Content(noise=0.3)
    base = world.save({"demo": before})
    grown = Content(rows=260, noise=0.3, seed=1)
    frames = {
        part: pd.concat([before.frames[part], frame.tail(60)], ignore_index=True)
        for part, frame in grown.frames.items()
    }
    more = Content(
        noise=0.3, seed=1, frames={part: number_rows(frame) for part, frame in frames.items()}
    )
    world.save({"demo": more})
    assert compare_with(world, base).out_of_fold.rows == 400


def number_rows(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{ROW: np.arange(len(frame)) + int(frame[ROW].iloc[0])})


def test_a_base_without_such_predictions_is_named(world: World) -> None:
    missing = "data/candidates/demo/linear/out_of_fold.parquet"
    base = world.save({"demo": Content(without=(missing,))})
    world.save({"demo": Content(noise=1.0, seed=1)})
    task = compare_with(world, base)
    assert task.out_of_fold is None
    assert missing in task.no_out_of_fold
    assert task.own is not None


def test_other_rows_to_train_on_are_named(world: World) -> None:
    before, other = Content(), Content(seed=1)
    base = world.save({"demo": before})
    replaced = {part: make_other(before.frames[part]) for part in ("train", "validation")}
    world.save({"demo": edited(other, "test", before.frames["test"])} | {})
    changed = Content(seed=1, frames={**before.frames, **replaced})
    world.save({"demo": changed})
    assert (
        "only 0 of 400 rows to train on are the base's" in compare_with(world, base).no_out_of_fold
    )


def make_other(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(dose=frame["dose"] + 0.125)


def test_a_sample_without_both_classes_in_a_fold_leaves_that_fold_out() -> None:
    metric = find_metric("roc_auc", "classification", "here")
    truth = np.array([0, 1, 0, 1])
    good = np.array([0.1, 0.9, 0.2, 0.8])
    rows = Rows(truth, np.column_stack([1 - good, good]))
    halves = [np.array([0, 1]), np.array([2, 3])]
    parts = [Part(half, rows.part(half)) for half in halves]
    question = FoldQuestion("roc_auc", metric, 4, parts, parts)
    assert question.scores == (1.0, 1.0)
    weights = np.array([[2.0, 0.0, 1.0, 1.0], [2.0, 0.0, 2.0, 0.0]])
    gains = question.gains(weights)
    assert gains[0] == 0
    assert np.isnan(gains[1])
