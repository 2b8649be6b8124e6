"""The whole stage on small simulated tasks, and the parts that no other file covers."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from stages import evaluate
from stages.composing.plots import EVALUATION
from stages.evaluating import learning_curve
from stages.evaluating.baseline import predict_baseline
from stages.evaluating.candidates import OutOfFold
from stages.evaluating.formatting import format_number, round_floats
from stages.evaluating.metrics import METRICS, DecisionRule, Rows, metrics_for
from stages.evaluating.model_selection import select_model
from stages.evaluating.settings import EvaluationContext, EvaluationSettings
from stages.evaluating.thresholds import choose_threshold, compute_half_width
from stages.runner import declare
from stages.shared import storage
from stages.shared.errors import PipelineError
from stages.shared.schema import GROUP, ROW, TARGET
from stages.shared.storage import read_frame, write_frame
from tests.support.evaluate_fixtures import (
    SETTINGS,
    build_fixture,
    linear,
    make_frame,
    make_schema,
    write_candidate,
)

KINDS = ("binary", "several", "regression")
OUTPUT = Path("data/evaluated/demo")


@pytest.fixture(scope="session", params=KINDS)
def world(request: Any, tmp_path_factory: Any) -> tuple[str, Path]:
    """One task of each kind, built and evaluated once."""
    root = tmp_path_factory.mktemp(request.param)
    build_fixture(root, request.param)
    with pytest.MonkeyPatch.context() as patch:
        run(root, patch)
    return request.param, root


@pytest.fixture
def binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh task of two classes, as the working directory."""
    build_fixture(tmp_path)
    monkeypatch.chdir(tmp_path)
    declare.read_params.cache_clear()
    return tmp_path


def run(root: Path, patch: pytest.MonkeyPatch, *models: str) -> None:
    patch.chdir(root)
    declare.read_params.cache_clear()
    evaluate.main("demo", *(models or ("linear", "forest")))


def read(root: Path, name: str) -> Any:
    return json.loads((root / OUTPUT / name).read_text(encoding="utf-8"))


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def change(path: Path, edit: Callable[[pd.DataFrame], None]) -> None:
    frame = read_frame(path)
    edit(frame)
    write_frame(path, frame)


# The outputs


def test_every_declared_output_is_written_and_nothing_else(world: tuple[str, Path]) -> None:
    kind, root = world
    declared = [*evaluate.STAGE.outs, *evaluate.STAGE.metrics]
    names = {Path(path.format(task="demo")).name for path in declared}
    assert {path.name for path in (root / OUTPUT).iterdir()} == names
    problem = make_schema(kind).problem
    pictures = [picture.file for picture in EVALUATION if picture.problem in (None, problem)]
    plots = {Path(path).name for path in pictures}
    assert {path.name for path in (root / OUTPUT / "plots").iterdir()} == plots


def test_every_point_of_a_plot_has_the_declared_fields(world: tuple[str, Path]) -> None:
    _, root = world
    for picture in EVALUATION:
        path = root / picture.file.format(task="demo")
        if path.exists():
            points = storage.read_json(path)
            assert points
            assert all(
                {picture.x, picture.y} <= point.keys() == points[0].keys() for point in points
            )


def test_templates_of_the_plots_exist() -> None:
    own = {path.stem for path in Path(".dvc/plots").glob("*.json")}
    assert {picture.template for picture in EVALUATION} <= own | {"scatter"}


def test_predictions_are_those_of_the_test_rows_that_the_metrics_are_of(
    world: tuple[str, Path],
) -> None:
    kind, root = world
    found = read_frame(root / OUTPUT / "predictions.parquet").set_index(ROW)
    test = read_frame(root / "data/prepared/demo/test.parquet").set_index(ROW)
    assert list(found.index) == list(test.index)
    metrics = read(root, "metrics.json")
    if kind == "regression":
        rmse = np.sqrt(np.mean((found["value"] - test[TARGET]) ** 2))
        assert metrics["rmse"]["value"] == pytest.approx(rmse, rel=1e-5)
    else:
        labels = list(make_schema(kind).labels)
        truth = test[TARGET].map(labels.index)
        loss = log_loss(truth, found[[f"p_{i}" for i in range(len(labels))]].to_numpy())
        assert metrics["log_loss"]["value"] == pytest.approx(loss, rel=1e-5)


def test_the_champion_is_the_winners_file_byte_for_byte(world: tuple[str, Path]) -> None:
    _, root = world
    winner = root / "data/candidates/demo" / read(root, "evaluation.json")["champion"]
    assert (root / OUTPUT / "champion.joblib").read_bytes() == (
        winner / "model.joblib"
    ).read_bytes()


def test_every_metric_has_value_interval_and_baseline(world: tuple[str, Path]) -> None:
    kind, root = world
    metrics = read(root, "metrics.json")
    names = [metric.name for metric in metrics_for(make_schema(kind).problem)]
    assert list(metrics) == ["champion", "n", *names, "over_baseline"]
    assert metrics["n"] == 120
    for name in names:
        assert list(metrics[name]) == ["value", "low", "high", "baseline"]
        assert metrics[name]["low"] <= metrics[name]["high"]


def test_the_reported_score_is_that_of_the_loaded_champion(world: tuple[str, Path]) -> None:
    kind, root = world
    X, y = evaluate.encode_table(
        read_frame(root / "data/prepared/demo/test.parquet"), make_schema(kind)
    )
    pipeline = evaluate.load_pipeline(root / OUTPUT / "champion.joblib")
    metrics = read(root, "metrics.json")
    if kind == "regression":
        expected = math.sqrt(np.mean((pipeline.predict(X) - y) ** 2))
        assert metrics["rmse"]["value"] == pytest.approx(expected, rel=1e-5)
    else:
        expected = log_loss(y, pipeline.predict_proba(X))
        assert metrics["log_loss"]["value"] == pytest.approx(expected, rel=1e-5)


def test_slices_of_each_column_add_up_to_the_test_rows(world: tuple[str, Path]) -> None:
    kind, root = world
    evaluation = read(root, "evaluation.json")
    for name in make_schema(kind).names:
        rows = [part["rows"] for part in evaluation["slices"] if part["column"] == name]
        assert sum(rows) == evaluation["test"]["rows"] == 120


def test_the_worst_slice_has_the_worst_value(world: tuple[str, Path]) -> None:
    _, root = world
    evaluation = read(root, "evaluation.json")
    values = [part["value"] for part in evaluation["slices"] if part["value"] is not None]
    worst = min(values) if evaluation["higher_is_better"] else max(values)
    assert evaluation["worst_slice"]["value"] == worst


def test_the_decisive_column_is_the_most_important_and_noise_is_not(
    world: tuple[str, Path],
) -> None:
    _, root = world
    columns = read(root, "evaluation.json")["importances"]["columns"]
    by_name = {column["column"]: column["mean"] for column in columns}
    assert columns[0]["column"] == "dose"
    assert abs(by_name["noise"]) < by_name["dose"] / 10


def test_the_ranking_holds_every_candidate_with_its_facts(world: tuple[str, Path]) -> None:
    _, root = world
    candidates = read(root, "evaluation.json")["candidates"]
    assert [candidate["trained"]["model"] for candidate in candidates] == ["linear", "forest"]
    assert sum(candidate["chosen"] for candidate in candidates) == 1
    assert np.shape(candidates[0]["scores"]) == (2, 4)


def test_confusion_sums_to_the_rows_and_its_diagonal_to_the_accuracy(
    world: tuple[str, Path],
) -> None:
    kind, root = world
    confusion = read(root, "evaluation.json")["test"]["confusion"]
    if kind == "regression":
        assert confusion is None
    else:
        right = np.trace(confusion) / np.sum(confusion)
        assert right == pytest.approx(read(root, "metrics.json")["accuracy"]["value"], abs=1e-6)


def test_the_page_escapes_what_markdown_would_swallow(world: tuple[str, Path]) -> None:
    _, root = world
    page = (root / OUTPUT / "results.md").read_text(encoding="utf-8")
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables} <= {4, 5, 6}
    assert "<" not in page


def test_two_runs_give_the_same_bytes(world: tuple[str, Path], monkeypatch: Any) -> None:
    _, root = world
    first = contents(root / OUTPUT)
    shutil.rmtree(root / OUTPUT)
    run(root, monkeypatch)
    assert contents(root / OUTPUT) == first


def test_only_declared_files_are_read(world: tuple[str, Path], monkeypatch: Any) -> None:
    """By the names of what is opened for reading; the pipeline's own test traces real opens."""
    _, root = world
    opened: list[Path] = []
    real = Path.open

    def spy(self: Path, mode: str = "r", *more: Any, **options: Any) -> Any:
        if mode.startswith("r"):
            opened.append(self)
        return real(self, mode, *more, **options)

    monkeypatch.setattr(Path, "open", spy)
    run(root, monkeypatch)
    deps = [
        dep.format(task="demo", candidate=model)
        for dep in evaluate.STAGE.deps
        for model in ("linear", "forest")
    ]
    assert {path.as_posix() for path in opened} <= {*deps, "params.yaml"}
    assert opened.count(Path("data/prepared/demo/test.parquet")) == 1


# The test rows decide nothing


def test_shuffled_test_labels_change_neither_champion_nor_threshold(
    binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(binary, monkeypatch)
    before, scores = read(binary, "evaluation.json"), read(binary, "metrics.json")

    def shuffle(frame: pd.DataFrame) -> None:
        frame[TARGET] = np.random.default_rng(0).permutation(frame[TARGET])

    change(Path("data/prepared/demo/test.parquet"), shuffle)
    run(binary, monkeypatch)
    after = read(binary, "evaluation.json")
    for key in ("champion", "explanation", "candidates", "threshold", "decision", "learning_curve"):
        assert after[key] == before[key]
    assert read(binary, "metrics.json")["roc_auc"]["value"] < scores["roc_auc"]["value"] - 0.2


def test_everything_is_chosen_before_the_test_rows_are_read(binary: Path, monkeypatch: Any) -> None:
    steps: list[str] = []
    real_read, real_select = evaluate.read_rows, evaluate.select_model
    monkeypatch.setattr(evaluate, "read_rows", lambda p: (steps.append(p.stem), real_read(p))[1])
    monkeypatch.setattr(
        evaluate, "select_model", lambda *a: (steps.append("!"), real_select(*a))[1]
    )
    run(binary, monkeypatch)
    assert steps == ["train", "validation", "!", "test"]


def test_a_model_the_command_does_not_name_cannot_win(binary: Path, monkeypatch: Any) -> None:
    run(binary, monkeypatch, "forest")
    assert read(binary, "metrics.json")["champion"] == "forest"


# Clear errors


def test_a_model_without_files_is_named_with_the_remedy(binary: Path, monkeypatch: Any) -> None:
    with pytest.raises(PipelineError, match=r"demo/ghost has no model.*repro evaluate-demo"):
        run(binary, monkeypatch, "linear", "ghost")


@pytest.mark.usefixtures("binary")
def test_a_command_without_models_says_how_it_is_used() -> None:
    with pytest.raises(PipelineError, match="evaluate demo MODEL"):
        evaluate.main("demo")


def test_predictions_of_other_rows_are_refused(binary: Path, monkeypatch: Any) -> None:
    path = Path("data/candidates/demo/forest/out_of_fold.parquet")
    change(path, lambda frame: frame.__setitem__(ROW, frame[ROW] + 1))
    with pytest.raises(PipelineError, match=r"forest/out_of_fold.parquet does not hold each row"):
        run(binary, monkeypatch)


def test_candidates_scored_on_different_folds_are_refused(binary: Path, monkeypatch: Any) -> None:
    path = Path("data/candidates/demo/forest/out_of_fold.parquet")
    change(path, lambda frame: frame.__setitem__("fold", frame["fold"].to_numpy()[::-1]))
    with pytest.raises(PipelineError, match="forest and linear were scored on different folds"):
        run(binary, monkeypatch)


def test_a_fold_with_one_class_is_explained(tmp_path: Path, monkeypatch: Any) -> None:
    build_fixture(tmp_path)
    for part in ("train", "validation"):
        path = tmp_path / f"data/prepared/demo/{part}.parquet"
        change(path, lambda frame: frame.loc[3:].__setitem__(TARGET, "healthy"))
        change(
            path, lambda frame: frame.__setitem__(TARGET, ["ill"] + ["healthy"] * (len(frame) - 1))
        )
    with pytest.raises(PipelineError, match=r"roc_auc is undefined on some fold.*cv.folds"):
        run(tmp_path, monkeypatch)


def test_an_empty_test_split_is_explained(binary: Path, monkeypatch: Any) -> None:
    path = Path("data/prepared/demo/test.parquet")
    write_frame(path, read_frame(path).head(0))
    with pytest.raises(PipelineError, match=r"test.parquet has no rows"):
        run(binary, monkeypatch)


@pytest.mark.parametrize("wrong", [{"threshold": "youden"}, {"threshold": 1.5}, {"bins": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(PipelineError, match=next(iter(wrong))):
        EvaluationSettings.parse(SETTINGS | wrong, "params.yaml (evaluation)")


# Threshold and interval


def test_threshold_lies_half_way_between_the_rows_it_parts() -> None:
    truth = np.array([0, 0, 1, 0, 1, 1])
    probability = np.array([0.1, 0.2, 0.4, 0.5, 0.7, 0.9])
    # Accepting from 0.4: all 3 ill, 1 of 3 healthy wrong: (1 + 2/3) / 2. From 0.7: (2/3 + 1) / 2.
    # Both 0.833; 0.3 and 0.6 are their thresholds, of which 0.6 is nearer to 0.5.
    assert choose_threshold(truth, probability, "balanced_accuracy") == (
        pytest.approx(0.6),
        pytest.approx(5 / 6),
    )
    # F1 from 0.4: 2 * 3 / (4 + 3) = 0.857; from 0.7: 2 * 2 / (2 + 3) = 0.8.
    assert choose_threshold(truth, probability, "f1") == (pytest.approx(0.3), pytest.approx(6 / 7))


@pytest.mark.parametrize(
    ("rule", "score"), [("balanced_accuracy", balanced_accuracy_score), ("f1", f1_score)]
)
def test_no_other_threshold_does_better(rule: Any, score: Any) -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        probability = rng.integers(0, 12, 40) / 12
        truth = (rng.random(40) < probability).astype(int)
        found, reached = choose_threshold(truth, probability, rule)
        tried = [score(truth, probability >= cut) for cut in np.arange(0.01, 1, 1 / 24)]
        assert reached == pytest.approx(max(tried))
        assert score(truth, probability >= found) == pytest.approx(reached)


def test_the_threshold_is_the_champions_and_not_the_best_ones() -> None:
    """Of two candidates that rank alike the simple one wins, and its own probabilities count."""
    rng, folds = np.random.default_rng(0), np.tile(np.arange(200) % 4, (2, 1))
    truth = rng.integers(0, 2, 200)
    score = np.clip(rng.normal(0.4 + 0.2 * truth, 0.15, (2, 200)), 0.01, 0.99)
    simple = np.clip(score + rng.normal(0, 0.03, (2, 200)), 0.01, 0.99) / 3
    selection = {
        name: ({"complexity": complexity}, OutOfFold(folds, np.stack([1 - p, p], axis=-1)))
        for name, complexity, p in (("best", 2, score), ("simple", 1, simple))
    }
    context = EvaluationContext(
        "demo", make_schema("binary"), METRICS[0], EvaluationSettings.parse(SETTINGS, "settings")
    )
    found = select_model(context, selection, truth)
    expected, _ = choose_threshold(truth, simple.mean(axis=0), "balanced_accuracy")
    assert (found.choice.best.name, found.choice.champion.name) == ("best", "simple")
    assert found.decision.rule.threshold == pytest.approx(expected, abs=1e-6)


def test_equal_probabilities_can_only_be_accepted_together() -> None:
    threshold, score = choose_threshold(np.array([0, 1]), np.array([0.3, 0.3]), "balanced_accuracy")
    assert (threshold <= 0.3, score) == (True, 0.5)


def test_a_fixed_threshold_is_taken_as_it_is(tmp_path: Path, monkeypatch: Any) -> None:
    build_fixture(tmp_path, threshold=0.123)
    run(tmp_path, monkeypatch)
    assert read(tmp_path, "evaluation.json")["threshold"] == 0.123


def test_the_threshold_decides_the_confusion(tmp_path: Path, monkeypatch: Any) -> None:
    build_fixture(tmp_path, threshold=0.999999)
    run(tmp_path, monkeypatch)
    assert np.sum(read(tmp_path, "evaluation.json")["test"]["confusion"], axis=0)[1] == 0


def test_half_width_is_the_corrected_quantile() -> None:
    errors = np.arange(1.0, 20.0)[None, ::-1] * np.array([-1, 1] * 9 + [-1])
    assert compute_half_width(errors, 0.9) == 18  # ceil(20 * 0.9) = 18th smallest of 1 … 19
    assert compute_half_width(np.tile(errors, (3, 1)), 0.9) == 18
    assert compute_half_width(np.tile(errors, (1, 4)), 0.9, units=19) == 18  # four copies of each


def test_half_width_covers_new_values_as_often_as_asked() -> None:
    """Exactly so on average: ceil((n + 1) c) / (n + 1), here 46 / 51."""
    rng = np.random.default_rng(8)
    held = [
        np.mean(
            np.abs(rng.standard_t(3, 200)) <= compute_half_width(rng.standard_t(3, (1, 50)), 0.9)
        )
        for _ in range(2000)
    ]
    assert np.mean(held) == pytest.approx(46 / 51, abs=0.005)


def test_too_few_rows_for_the_coverage_are_explained() -> None:
    with pytest.raises(PipelineError, match=r"evaluation.coverage = 0.99 .* 98 rows"):
        compute_half_width(np.ones((1, 98)), 0.99)
    assert compute_half_width(np.ones((1, 99)), 0.99) == 1


def test_the_interval_covers_about_what_it_should_on_test(tmp_path: Path, monkeypatch: Any) -> None:
    build_fixture(tmp_path, "regression", rows=1000)
    run(tmp_path, monkeypatch, "linear")
    assert read(tmp_path, "metrics.json")["interval_coverage"]["value"] == pytest.approx(
        0.9, abs=0.04
    )


# Baseline, learning curve, figures


@pytest.mark.parametrize("kind", KINDS)
def test_the_baseline_is_scikit_learns_dummy(kind: str) -> None:
    schema = make_schema(kind)
    context = EvaluationContext(
        "demo", schema, METRICS[0], EvaluationSettings.parse(SETTINGS, "settings")
    )
    (_, known), (X, y) = (
        evaluate.encode_table(make_frame(kind, 90, seed), schema) for seed in (1, 2)
    )
    found = predict_baseline(context, DecisionRule(), known, y)
    if kind == "regression":
        expected = DummyRegressor().fit(known, known).predict(X)
    else:
        dummy = DummyClassifier(strategy="prior").fit(known, known)
        expected = dummy.predict_proba(X)
        assert (found.decision == dummy.predict(X)).all()
    np.testing.assert_allclose(found.prediction, expected)


def test_the_learning_curve_rises_and_uses_two_thirds_of_the_rows_at_most(
    world: tuple[str, Path],
) -> None:
    kind, root = world
    points = read(root, "evaluation.json")["learning_curve"]["points"]
    assert [point["rows"] for point in points] == [40, 80, 120, 160, 200]
    sign = -1 if kind == "regression" else 1
    assert sign * points[-1]["held_out"] > sign * points[0]["held_out"]
    assert sign * points[-1]["fitted"] > sign * points[-1]["held_out"]


def test_the_learning_curve_weighs_classes_as_training_does() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(300) < 0.1).astype(int)
    X = rng.normal(y[:, None], 1, (300, 2))

    def intercepts(weighted_by_itself: str | None, class_weight: str | None) -> list[float]:
        model = Pipeline([("estimator", LogisticRegression(class_weight=weighted_by_itself))])
        score = lambda fitted, *_: float(fitted["estimator"].intercept_[0])  # noqa: E731
        points = learning_curve.compute_learning_curve(
            model, X, y, score, True, class_weight, seed=1
        )
        return [point.fitted for point in points]

    np.testing.assert_allclose(
        intercepts(None, "balanced"), intercepts("balanced", None), rtol=1e-3
    )
    assert intercepts(None, "balanced")[-1] - intercepts(None, None)[-1] > 1


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (np.zeros(50_001), "above 50000"),
        (np.array([0] * 100 + [1] * 14), "14 rows"),
        (np.array([0] * 100 + [1] * 15), None),
    ],
)
def test_a_learning_curve_is_left_out_for_a_stated_reason(y: Any, reason: str | None) -> None:
    found = learning_curve.explain_skip(None, y, is_classification=True)
    assert (found is None) if reason is None else (reason in str(found))


def test_a_model_that_is_not_fitted_again_has_no_learning_curve() -> None:
    class Slow:
        refittable = False

    found = learning_curve.explain_skip(Slow(), np.zeros(100), is_classification=True)
    assert found == "fitting this model again takes too long"


def noise_of_groups(rows: int = 300, groups: int = 100) -> tuple[Any, Any, Any]:
    """Return rows whose class is noise of their group, which their one column names."""
    rng = np.random.default_rng(0)
    group = np.arange(rows) % groups
    return group[:, None].astype(float), rng.integers(0, 2, groups)[group], group.astype(str)


def test_the_learning_curve_learns_nothing_from_a_row_of_the_same_group() -> None:
    """One neighbour knows the class of its group by heart."""
    X, y, groups = noise_of_groups()

    def held_out(groups: Any) -> float:
        model = Pipeline([("estimator", KNeighborsClassifier(1))])
        score = lambda fitted, X, y: float(fitted.score(X, y))  # noqa: E731
        points = learning_curve.compute_learning_curve(model, X, y, score, True, None, 1, groups)
        assert [point.rows for point in points] == pytest.approx([40, 80, 120, 160, 200], abs=6)
        return points[-1].held_out

    assert held_out(None) > 0.9
    assert held_out(groups) < 0.7


def test_shares_that_lack_a_class_are_left_out_of_a_learning_curve() -> None:
    """Three groups have the rare class: of the five parts to fit on at most two have it."""
    sizes, kinds = [*range(20, 50), 4, 4, 4], [0] * 30 + [1] * 3
    y, groups = np.repeat(kinds, sizes), np.repeat(np.arange(33), sizes).astype(str)
    X = np.random.default_rng(0).normal(y[:, None], 0.1, (len(y), 1))
    model = Pipeline([("estimator", LogisticRegression())])
    score = lambda fitted, *_: float(len(fitted.classes_))  # noqa: E731
    points = learning_curve.compute_learning_curve(model, X, y, score, True, None, 1, groups)
    assert 1 <= len(points) < 5
    assert {point.fitted for point in points} == {2.0}


def test_a_learning_curve_needs_fifteen_groups_of_each_class() -> None:
    y, groups = np.arange(300) % 2, np.arange(300) % 20
    found = learning_curve.explain_skip(None, y, is_classification=True, groups=groups)
    assert found == "10 groups to fit on (of the rarest class): below 15 it says nothing"
    assert learning_curve.explain_skip(None, y, True, np.arange(300) % 31) is None
    assert learning_curve.explain_skip(None, y.astype(float), False, groups) is None


def test_groups_of_the_prepared_table_reach_the_learning_curve(
    binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = binary / "data/prepared/demo"

    def in_groups(frame: pd.DataFrame) -> None:
        frame[GROUP] = ((frame[ROW] - 1) // 100).astype(str)

    for part in ("train", "validation"):
        change(prepared / f"{part}.parquet", in_groups)
    run(binary, monkeypatch)
    skipped = read(binary, "evaluation.json")["learning_curve"]["skipped"]
    assert "3 groups to fit on" in skipped


def test_a_skipped_learning_curve_leaves_an_empty_plot(binary: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(learning_curve, "MOST_ROWS", 100)
    run(binary, monkeypatch)
    assert read(binary, "plots/learning_curve.json") == []
    assert "300 rows" in read(binary, "evaluation.json")["learning_curve"]["skipped"]


def test_one_class_alone_in_the_test_rows_leaves_values_out(binary: Path, monkeypatch: Any) -> None:
    path = Path("data/prepared/demo/test.parquet")
    write_frame(path, read_frame(path).query(f"{TARGET} == 'ill'"))
    run(binary, monkeypatch)
    metrics = read(binary, "metrics.json")
    assert metrics["roc_auc"] == {"value": None, "low": None, "high": None, "baseline": None}
    assert metrics["accuracy"]["value"] is not None
    assert read(binary, "evaluation.json")["worst_slice"] is None


def test_candidates_are_compared_in_the_order_of_the_rows_not_of_the_file(
    binary: Path, monkeypatch: Any
) -> None:
    run(binary, monkeypatch)
    before = contents(OUTPUT)
    for model in ("linear", "forest"):
        path = Path("data/candidates/demo", model, "out_of_fold.parquet")
        write_frame(path, read_frame(path).sample(frac=1, random_state=1))
    run(binary, monkeypatch)
    assert contents(OUTPUT) == before


def test_a_candidates_score_is_the_mean_over_its_folds(binary: Path, monkeypatch: Any) -> None:
    run(binary, monkeypatch)
    prepared = Path("data/prepared/demo")
    known = pd.concat(read_frame(prepared / f"{part}.parquet") for part in ("train", "validation"))
    table = read_frame(Path("data/candidates/demo/forest/out_of_fold.parquet"))
    table["truth"] = table[ROW].map(known.set_index(ROW)[TARGET]) == "ill"
    folds = table.groupby(["repeat", "fold"])[["truth", "p_1"]]
    expected = np.mean([roc_auc_score(part["truth"], part["p_1"]) for _, part in folds])
    candidate = read(binary, "evaluation.json")["candidates"][1]
    assert candidate["mean"] == pytest.approx(expected, abs=1e-6)


def test_three_equal_candidates_leave_the_simplest(binary: Path, monkeypatch: Any) -> None:
    prepared = Path("data/prepared/demo")
    known = pd.concat(read_frame(prepared / f"{part}.parquet") for part in ("train", "validation"))
    for name, complexity in (("same_b", 0), ("same_a", 0)):
        write_candidate(
            binary, name, complexity, lambda: linear("binary"), known, make_schema("binary")
        )
    run(binary, monkeypatch, "linear", "same_b", "same_a")
    assert read(binary, "metrics.json")["champion"] == "same_a"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (1 / 3, 0.333333),
        (123456.789, 123457.0),
        (float("nan"), None),
        (float("inf"), None),
        (np.float32(0.5), 0.5),
        (np.array([[1, 2]]), [[1, 2]]),
        ({"a": (True, None, "x")}, {"a": [True, None, "x"]}),
        (DecisionRule(0.5, float("nan"), 10), {"threshold": 0.5, "half_width": None, "bins": 10}),
    ],
)
def test_json_gets_six_digits_and_no_nan(content: Any, expected: Any) -> None:
    assert round_floats(content) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.91446, "0.914"), (44718.2, "44,718"), (0.00012, "0.00012"), (0, "0.000"), (None, "\u2013")],
)
def test_tables_show_as_many_digits_as_matter(value: Any, expected: str) -> None:
    assert format_number(value) == expected


def test_rows_pick_parts_with_their_terms() -> None:
    rows = Rows(np.arange(3.0), np.arange(3.0), DecisionRule(half_width=2))
    part = rows.part(np.array([True, False, True]))
    assert (len(part), part.rule.half_width) == (2, 2)
