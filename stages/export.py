"""Writes a champion as ONNX and proves it equal: ``python -m stages.export heart``."""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from serve.runtime.manifest import Explanation, Graph, Hashes, Manifest, compute_version
from serve.runtime.manifest import Parity as ParityFigures
from stages.contract.columns import Column
from stages.contract.source import Origin
from stages.contract.target import Target
from stages.evaluating.content import Evaluation, read_evaluation
from stages.evaluating.metrics import DecisionRule, find_metric
from stages.exporting.artifact import Artifact, Champion, choose_precision, list_cases
from stages.exporting.card import render_card
from stages.exporting.describing import (
    describe_columns,
    describe_explanation,
    describe_model,
    describe_spelling,
    describe_target,
)
from stages.exporting.explaining import Explained, check_explanation, explain
from stages.exporting.golden import answer_golden_rows
from stages.exporting.graph import name_output
from stages.exporting.parity import Exported, Parity, Predictor, compare
from stages.exporting.publishing import publish
from stages.exporting.quantising import Judge
from stages.runner import imports
from stages.runner.declare import At, Params, Stage
from stages.shared.errors import PipelineError
from stages.shared.features import encode
from stages.shared.finetuned import FineTuned
from stages.shared.frozen import Frozen
from stages.shared.loading import load_pipeline
from stages.shared.schema import ROW, SPLITS, Schema, read_schema
from stages.shared.storage import read_frame, read_json, sha256

Array = np.ndarray[Any, np.dtype[Any]]


class ExportSettings(Frozen):
    """How far what is exported may be from what was trained; ``conf/config.yaml`` explains it."""

    renamed: ClassVar = {"int8_loss": "max_int8_loss"}

    tolerance: float = Field(gt=0)
    max_int8_loss: float | None = Field(default=None, ge=0)
    no_gain: Literal["warn", "error"] = "warn"


class ExportParams(Params):
    """The parts of the contract that the manifest repeats, and the tolerance."""

    title: Annotated[str, At("task.{task}.title")]
    columns: Annotated[dict[str, Column], At("task.{task}.columns")]
    target: Annotated[Target, At("task.{task}.target")]
    origin: Annotated[Origin, At("task.{task}.origin")]
    export: Annotated[ExportSettings, At("export")]


STAGE = Stage(
    verb="export",
    desc="Write the champion of {task} as ONNX, proven equal on every row",
    params=ExportParams,
    deps=(
        *(f"data/prepared/{{task}}/{split}.parquet" for split in SPLITS),
        "data/prepared/{task}/schema.json",
        "data/evaluated/{task}/champion.joblib",
        "data/evaluated/{task}/evaluation.json",
        "data/evaluated/{task}/metrics.json",
        "stages/exporting/card.md.jinja",
    ),
    outs=("models/{task}",),
    persistent=True,  # the last good model stays servable while this runs, and where it fails
    runs_models=True,
)


@dataclass(frozen=True)
class Inputs:
    """What the stages before have left of a task."""

    task: str
    schema: Schema
    frames: Mapping[str, pd.DataFrame]
    champion: Champion
    evaluation: Evaluation
    metrics: dict[str, Any]  # metrics.json, as it is

    @property
    def trained_on(self) -> pd.DataFrame:
        """The rows that the champion was fitted on: validation's may only have stopped it."""
        known = pd.concat([self.frames["train"], self.frames["validation"]])
        return known.iloc[: self.evaluation.trained.rows]

    @property
    def all_rows(self) -> Array:
        """The encoded matrix of every split's rows."""
        return encode(pd.concat(self.frames.values()), self.schema)

    @classmethod
    def read(cls, task: str) -> "Inputs":
        prepared, evaluated = Path("data/prepared", task), Path("data/evaluated", task)
        return cls(
            task=task,
            schema=read_schema(prepared),
            frames={split: read_frame(prepared / f"{split}.parquet") for split in SPLITS},
            champion=load_pipeline(evaluated / "champion.joblib"),
            evaluation=read_evaluation(evaluated),
            metrics=read_json(evaluated / "metrics.json"),
        )


def main(task: str) -> None:
    """Replace the exported model, its card and its manifest; keep all of it on any failure."""
    params, inputs = STAGE.load(task=task), Inputs.read(task)
    check_gain(inputs.evaluation, task, params.export.no_gain)
    artifact = Artifact.of(inputs.champion)
    parity = prove_parity(artifact.exported, inputs, params.export.tolerance)
    artifact = quantise_champion(artifact, inputs, params.export.max_int8_loss)
    explained = explain_champion(artifact.exported, inputs)
    manifest = build_manifest(artifact, explained, parity, inputs, params)
    files = artifact.files(manifest)
    if manifest.explanation and explained:
        files[manifest.explanation.file] = explained.content
    rows = {split: len(frame) for split, frame in inputs.frames.items()}
    publish(Path("models", task), files, manifest, render_card(manifest, inputs.evaluation, rows))


def check_gain(evaluation: Evaluation, task: str, rule: Literal["warn", "error"]) -> None:
    """Say aloud that the champion is no better than its baseline; raise where that may not be."""
    if not evaluation.doubt:
        return
    if rule == "error":
        raise PipelineError(
            f"{task}: {evaluation.doubt} export.no_gain in conf/config.yaml is {rule!r}, so "
            f"models/{task} stays as it was: bring rows or columns that tell more, or set `warn`"
        )
    print(f"WARNING: {task} is exported all the same. {evaluation.doubt}")


def prove_parity(exported: Predictor, inputs: Inputs, tolerance: float) -> Parity:
    """Compare the model with the trained one on every row of every split, and on hard cases.

    Raises PipelineError that names the row, both answers and the tolerance.
    """
    X, schema = inputs.all_rows, inputs.schema
    parity = compare(exported, inputs.champion, schema, X, list_cases(inputs.champion, X, schema))
    worst = parity.worst
    if worst.size > tolerance:
        raise PipelineError(
            f"the exported model is not the trained one: for {_locate(worst.row, inputs.frames)}"
            f"{worst.alteration} it gives {worst.exported}, the trained one {worst.trained}. They "
            f"differ by {worst.size:.3g}; export.tolerance in conf/config.yaml allows "
            f"{tolerance:g}. models/{inputs.task} stays as it was"
        )
    return parity


def quantise_champion(artifact: Artifact, inputs: Inputs, most_loss: float | None) -> Artifact:
    """Return a transformer in int8 if the task's metric loses no more than ``most_loss`` by it.

    Any other artifact comes back as it is, and so does each without ``most_loss``.
    """
    if most_loss is None or not isinstance(inputs.champion, FineTuned):
        return artifact
    schema, evaluation = inputs.schema, inputs.evaluation
    metric = find_metric(evaluation.metric, schema.problem, "metric in evaluation.json")
    rule = DecisionRule() if evaluation.threshold is None else DecisionRule(evaluation.threshold)
    judge, unseen = Judge(metric, rule, most_loss), encode(inputs.frames["test"], schema)
    return choose_precision(artifact, inputs.champion, judge, unseen, inputs.all_rows)


def explain_champion(exported: Predictor, inputs: Inputs) -> Explained | None:
    """Return what explains the model's answers, proven on rows of every split, if anything does.

    Raises PipelineError where its sums are not the model's answers.
    """
    if isinstance(inputs.champion, FineTuned) or not isinstance(exported, Exported):
        return None
    explained = explain(inputs.champion, encode(inputs.trained_on, inputs.schema))
    if explained:
        check_explanation(explained, exported, inputs.schema, inputs.all_rows)
    return explained


def _locate(position: int, frames: Mapping[str, pd.DataFrame]) -> str:
    for split, frame in frames.items():
        if position < len(frame):
            return f"row {frame[ROW].iloc[position]} of the table (in {split}.parquet)"
        position -= len(frame)
    raise IndexError(position)


def build_manifest(
    artifact: Artifact,
    explained: Explained | None,
    parity: Parity,
    inputs: Inputs,
    params: ExportParams,
) -> Manifest:
    """Return the manifest: it depends on declared inputs alone."""
    schema, evaluation = inputs.schema, inputs.evaluation
    family, estimator = evaluation.champion, evaluation.trained.target
    columns = describe_columns(params.columns, inputs.trained_on)
    manifest = Manifest(
        task=inputs.task,
        title=params.title,
        problem=schema.problem,
        version="",
        model=describe_model(artifact.model, family, estimator, len(inputs.trained_on)),
        vectorisers=tuple(entry for entry, _ in artifact.vectorisers),
        tokenizer=artifact.tokenizer[0] if artifact.tokenizer else None,
        precision=artifact.precision,
        columns=columns,
        target=describe_target(params.target, evaluation.threshold, evaluation.interval),
        spelling=describe_spelling(params.origin, columns),
        onnx=Graph(input=artifact.input, output=name_output(schema)),
        explanation=build_explanation(explained, schema),
        metrics=inputs.metrics,
        parity=ParityFigures(
            rows=parity.rows,
            largest_difference=parity.worst.size,
            tolerance=params.export.tolerance,
        ),
        golden=answer_golden_rows(artifact.exported, inputs.frames["test"], params.columns, schema),
        hashes=collect_hashes(inputs.task, evaluation),
        libraries=collect_libraries(evaluation),
    )
    return manifest.model_copy(update={"version": compute_version(manifest)})


def build_explanation(explained: Explained | None, schema: Schema) -> Explanation | None:
    if explained is None:
        return None
    derived = tuple(number.name for number in schema.derived)
    return describe_explanation(explained.content, explained.method, explained.link, derived)


def collect_hashes(task: str, evaluation: Evaluation) -> Hashes:
    """Return the hashes of the tables, and of what set and made training and export."""
    trained = evaluation.trained
    folder = Path("data/prepared", task)
    return Hashes(
        data={split: sha256(folder / f"{split}.parquet") for split in SPLITS},
        params={"train": trained.params, "export": STAGE.fingerprint(task=task)},
        code={"train": trained.code, "export": imports.hash_code(STAGE.verb)},
    )


def collect_libraries(evaluation: Evaluation) -> dict[str, str]:
    """Return the versions of the libraries that training and export used, by name."""
    return dict(
        sorted({**evaluation.trained.libraries, **imports.list_versions(STAGE.verb)}.items())
    )


if __name__ == "__main__":
    STAGE.run(main)
