"""Writes a champion as ONNX and proves it equal: ``python -m stages.export heart``."""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field

from stages.contract.columns import Column
from stages.contract.source import Origin
from stages.contract.target import Target
from stages.evaluating.content import Evaluation, read_evaluation
from stages.evaluating.metrics import Terms, find_metric
from stages.exporting import manifest as manifests
from stages.exporting.artifact import Artefact, Champion, cases, in_best_precision
from stages.exporting.card import card
from stages.exporting.explaining import Explained, check, explain
from stages.exporting.golden import golden_rows
from stages.exporting.graph import output_name
from stages.exporting.manifest import Manifest
from stages.exporting.parity import Answering, Exported, Parity, compare
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


class Export(Frozen):
    """How far what is exported may be from what was trained; ``conf/config.yaml`` explains it."""

    renamed: ClassVar = {"int8_loss": "max_int8_loss"}

    tolerance: float = Field(gt=0)
    max_int8_loss: float | None = Field(default=None, ge=0)


class ExportParams(Params):
    """The parts of the contract that the manifest repeats, and the tolerance."""

    title: Annotated[str, At("task.{task}.title")]
    columns: Annotated[dict[str, Column], At("task.{task}.columns")]
    target: Annotated[Target, At("task.{task}.target")]
    origin: Annotated[Origin, At("task.{task}.origin")]
    export: Annotated[Export, At("export")]


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
    evaluated: Evaluation
    metrics: dict[str, Any]  # metrics.json, as it is

    @property
    def trained_on(self) -> pd.DataFrame:
        """The rows that the champion was fitted on: validation's may only have stopped it."""
        known = pd.concat([self.frames["train"], self.frames["validation"]])
        return known.iloc[: self.evaluated.trained.rows]

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
            evaluated=read_evaluation(evaluated),
            metrics=read_json(evaluated / "metrics.json"),
        )


def main(task: str) -> None:
    """Replace the exported model, its card and its manifest; keep all of it on any failure."""
    params, inputs = STAGE.load(task=task), Inputs.read(task)
    artefact = Artefact.of(inputs.champion)
    parity = proven(artefact.exported, inputs, params.export.tolerance)
    artefact = shrunk(artefact, inputs, params.export.max_int8_loss)
    explained = explained_by(artefact.exported, inputs)
    manifest = described(artefact, explained, parity, inputs, params)
    files = artefact.files(manifest)
    if manifest.explanation and explained:
        files[manifest.explanation.file] = explained.content
    rows = {split: len(frame) for split, frame in inputs.frames.items()}
    publish(Path("models", task), files, manifest, card(manifest, inputs.evaluated, rows))


def proven(exported: Answering, inputs: Inputs, tolerance: float) -> Parity:
    """Compare the model with the trained one on every row of every split, and on hard cases.

    Raises PipelineError that names the row, both answers and the tolerance.
    """
    X, schema = inputs.all_rows, inputs.schema
    parity = compare(exported, inputs.champion, schema, X, cases(inputs.champion, X, schema))
    worst = parity.worst
    if worst.size > tolerance:
        raise PipelineError(
            f"the exported model is not the trained one: for {_place(worst.row, inputs.frames)}"
            f"{worst.alteration} it gives {worst.exported}, the trained one {worst.trained}. They "
            f"differ by {worst.size:.3g}; export.tolerance in conf/config.yaml allows "
            f"{tolerance:g}. models/{inputs.task} stays as it was"
        )
    return parity


def shrunk(artefact: Artefact, inputs: Inputs, most_loss: float | None) -> Artefact:
    """Return a transformer in int8 if the task's metric loses no more than ``most_loss`` by it.

    Any other artefact comes back as it is, and so does each without ``most_loss``.
    """
    if most_loss is None or not isinstance(inputs.champion, FineTuned):
        return artefact
    schema, evaluated = inputs.schema, inputs.evaluated
    metric = find_metric(evaluated.metric, schema.problem, "metric in evaluation.json")
    terms = Terms() if evaluated.threshold is None else Terms(evaluated.threshold)
    judge, unseen = Judge(metric, terms, most_loss), encode(inputs.frames["test"], schema)
    return in_best_precision(artefact, inputs.champion, judge, unseen, inputs.all_rows)


def explained_by(exported: Answering, inputs: Inputs) -> Explained | None:
    """Return what explains the model's answers, proven on rows of every split, if anything does.

    Raises PipelineError where its sums are not the model's answers.
    """
    if isinstance(inputs.champion, FineTuned) or not isinstance(exported, Exported):
        return None
    explained = explain(inputs.champion, encode(inputs.trained_on, inputs.schema))
    if explained:
        check(explained, exported, inputs.schema, inputs.all_rows)
    return explained


def _place(position: int, frames: Mapping[str, pd.DataFrame]) -> str:
    for split, frame in frames.items():
        if position < len(frame):
            return f"row {frame[ROW].iloc[position]} of the table (in {split}.parquet)"
        position -= len(frame)
    raise IndexError(position)


def described(
    artefact: Artefact,
    explained: Explained | None,
    parity: Parity,
    inputs: Inputs,
    params: ExportParams,
) -> Manifest:
    """Return the manifest: it depends on declared inputs alone."""
    schema, evaluated = inputs.schema, inputs.evaluated
    family, estimator = evaluated.champion, evaluated.trained.target
    file = manifests.model_file(artefact.model, family, estimator, len(inputs.trained_on))
    vectorisers = tuple(entry for entry, _ in artefact.vectorisers)
    tokenizer = artefact.tokenizer[0] if artefact.tokenizer else None
    beside = (*vectorisers, *([tokenizer] if tokenizer else []))
    columns = manifests.columns(params.columns, inputs.trained_on)
    target = manifests.target(params.target, evaluated.threshold, evaluated.interval)
    spelling = manifests.spelling(params.origin, columns)
    return Manifest(
        task=inputs.task,
        title=params.title,
        problem=schema.problem,
        version=manifests.version(file, *beside, *columns, target, spelling),
        model=file,
        vectorisers=vectorisers,
        tokenizer=tokenizer,
        precision=artefact.precision,
        columns=columns,
        target=target,
        spelling=spelling,
        onnx=manifests.Graph(input=artefact.input, output=output_name(schema)),
        explanation=explanation(explained, schema),
        metrics=inputs.metrics,
        parity=manifests.Parity(
            rows=parity.rows,
            largest_difference=parity.worst.size,
            tolerance=params.export.tolerance,
        ),
        golden=golden_rows(artefact.exported, inputs.frames["test"], params.columns, schema),
        hashes=hashes(inputs.task, evaluated),
        libraries=libraries(evaluated),
    )


def explanation(explained: Explained | None, schema: Schema) -> manifests.Explanation | None:
    if explained is None:
        return None
    derived = tuple(number.name for number in schema.derived)
    return manifests.explanation(explained.content, explained.method, explained.link, derived)


def hashes(task: str, evaluated: Evaluation) -> manifests.Hashes:
    """Return the hashes of the tables, and of what set and made training and export."""
    trained = evaluated.trained
    folder = Path("data/prepared", task)
    return manifests.Hashes(
        data={split: sha256(folder / f"{split}.parquet") for split in SPLITS},
        params={"train": trained.params, "export": STAGE.fingerprint(task=task)},
        code={"train": trained.code, "export": imports.code_hash(STAGE.verb)},
    )


def libraries(evaluated: Evaluation) -> dict[str, str]:
    """Return the versions of the libraries that training and export used, by name."""
    return dict(sorted({**evaluated.trained.libraries, **imports.versions(STAGE.verb)}.items()))


if __name__ == "__main__":
    STAGE.run(main)
