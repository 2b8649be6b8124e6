"""Chooses the champion, then tests it once: ``python -m stages.evaluate heart linear forest``."""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd

from stages.evaluating.candidates import OutOfFold, read_candidate
from stages.evaluating.content import parse_evaluation
from stages.evaluating.formatting import round_floats
from stages.evaluating.metrics import Array, DecisionRule, find_metric
from stages.evaluating.model_selection import ModelSelection, select_model
from stages.evaluating.outputs import build_evaluation, build_metrics, build_plots
from stages.evaluating.results import render_markdown
from stages.evaluating.settings import EvaluationContext, EvaluationSettings
from stages.evaluating.slices import read_slices
from stages.evaluating.test_evaluation import ChampionTest, Table, evaluate_champion
from stages.runner.declare import At, Params, Stage
from stages.shared.errors import PipelineError
from stages.shared.features import encode, encode_target
from stages.shared.folds import read_groups
from stages.shared.loading import load_pipeline
from stages.shared.schema import ROW, Schema, read_schema
from stages.shared.storage import atomic, read_frame, write_frame, write_json, write_text


class EvaluateParams(Params):
    """The task's metric, and how the champion is looked at."""

    metric: Annotated[str, At("task.{task}.metric")]
    class_weight: Annotated[Literal["balanced"] | None, At("task.{task}.class_weight")]
    evaluation: Annotated[EvaluationSettings, At("evaluation")]


STAGE = Stage(
    verb="evaluate",
    desc="Choose the champion of {task} by cross-validation, then test it once",
    params=EvaluateParams,
    deps=(
        "data/prepared/{task}/train.parquet",
        "data/prepared/{task}/validation.parquet",
        "data/prepared/{task}/test.parquet",
        "data/prepared/{task}/schema.json",
        "data/candidates/{task}/{candidate}/model.joblib",
        "data/candidates/{task}/{candidate}/out_of_fold.parquet",
        "data/candidates/{task}/{candidate}/candidate.json",
    ),
    outs=(
        "data/evaluated/{task}/champion.joblib",
        "data/evaluated/{task}/evaluation.json",
        "data/evaluated/{task}/results.md",
        "data/evaluated/{task}/predictions.parquet",
        "data/evaluated/{task}/out_of_fold.parquet",
        "data/evaluated/{task}/plots",
    ),
    metrics=("data/evaluated/{task}/metrics.json",),
    runs_models=True,
)


def main(task: str, *models: str) -> None:
    """Write the champion, what is known of it, and the plots."""
    params = STAGE.load(task=task)
    prepared, folder = Path("data/prepared", task), Path("data/evaluated", task)
    schema = read_schema(prepared)
    metric = find_metric(params.metric, schema.problem, f"conf/task/{task}.yaml: metric")
    context = EvaluationContext(task, schema, metric, params.evaluation, params.class_weight)
    known = pd.concat([read_rows(prepared / f"{part}.parquet") for part in ("train", "validation")])
    fitted = encode_table(known, schema)
    candidates, groups = read_candidates(task, models, known[ROW]), read_groups(known, schema)
    selection = select_model(context, candidates, fitted[1], groups)
    # All is chosen by now: only here the test rows are read.
    held = read_rows(prepared / "test.parquet")
    test = encode_table(held, schema)
    model = Path("data/candidates", task, selection.choice.champion.name, "model.joblib")
    tested = evaluate_champion(
        context,
        selection.decision.rule,
        load_pipeline(model),
        fitted,
        test,
        others=read_slices(held),
        groups=groups,
        test_groups=read_groups(held, schema),
    )
    write_frame(
        folder / "predictions.parquet", tabulate_predictions(held[ROW], tested.rows.prediction)
    )
    unseen = candidates[selection.choice.champion.name][1].predictions[0]
    answers = tabulate_predictions(known[ROW], unseen)
    if schema.labels:
        answers["label"] = name_labels(unseen, selection.decision.rule, schema)
    write_frame(folder / "out_of_fold.parquet", answers)
    save(folder, model, context, selection, tested)


def read_rows(path: Path) -> pd.DataFrame:
    """Read a prepared table; raises PipelineError where it has no rows."""
    frame = read_frame(path)
    if frame.empty:
        raise PipelineError(f"{path} has no rows: see split in the task's file in conf/task")
    return frame


def encode_table(frame: pd.DataFrame, schema: Schema) -> Table:
    """Return the encoded matrix (n x fields) and the target (n class indices, or values)."""
    return encode(frame, schema), encode_target(frame, schema)


def read_candidates(
    task: str, models: tuple[str, ...], rows: pd.Series
) -> dict[str, tuple[dict[str, Any], OutOfFold]]:
    """Read each model that the command names, and no other that may lie beside them."""
    if not models:
        raise PipelineError(f"usage: python -m stages.evaluate {task} MODEL …")
    folder = Path("data/candidates", task)
    return {model: read_candidate(folder / model, rows.to_numpy()) for model in models}


def tabulate_predictions(rows: pd.Series, predictions: Array) -> pd.DataFrame:
    """Return what the champion says of each row, named as in a candidate's out-of-fold file."""
    found = predictions.reshape(len(rows), -1)
    names = [f"p_{i}" for i in range(found.shape[1])] if predictions.ndim == 2 else ["value"]
    table = pd.DataFrame(found, columns=names)
    table.insert(0, ROW, rows.to_numpy())
    return table


def name_labels(predictions: Array, rule: DecisionRule, schema: Schema) -> Array:
    """Return the label that the champion decides for: by its threshold, or the most probable."""
    positive = predictions[:, 1] >= rule.threshold
    places = positive.astype(int) if schema.is_binary else predictions.argmax(axis=1)
    return np.asarray(np.array(schema.labels, dtype=object)[places])


def save(
    folder: Path,
    model: Path,
    context: EvaluationContext,
    selection: ModelSelection,
    tested: ChampionTest,
) -> None:
    """Write every output; the champion is a copy, byte for byte, of the winner's model."""
    evaluation = round_floats(build_evaluation(context, selection, tested))
    for name, points in build_plots(context, selection, tested).items():
        write_json(folder / "plots" / f"{name}.json", round_floats(points))
    with atomic(folder / "champion.joblib") as file:
        file.write(model.read_bytes())
    write_json(folder / "evaluation.json", evaluation)
    parsed = parse_evaluation(evaluation, str(folder / "evaluation.json"))
    write_text(folder / "results.md", render_markdown(parsed))
    if parsed.doubt:
        print(f"WARNING: {context.task}: {parsed.doubt}")
    write_json(folder / "metrics.json", round_floats(build_metrics(selection, tested)))


if __name__ == "__main__":
    STAGE.run(main)
