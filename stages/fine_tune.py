"""Fine-tunes an encoder on a task's texts: ``python -m stages.fine_tune sentiment minilm``.

Killed at any point, the next run goes on from the last checkpoint and ends with the same weights.
How fast it went is written to ``data/measured/``: time differs from run to run, so no hash covers
that file.
"""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import joblib
import numpy as np
import pandas as pd
import safetensors.torch
from sklearn.utils.class_weight import compute_sample_weight

from stages.core.contract import CrossValidation
from stages.core.declare import At, Params, Plot, Stage
from stages.core.errors import PipelineError
from stages.core.storage import atomic, read_frame, sha256, write_frame, write_json
from stages.fine_tuning.checkpoints import State, forget
from stages.fine_tuning.examples import Examples
from stages.fine_tuning.hardware import dtype_for, use_cuda
from stages.fine_tuning.jobs import final_job, fold_jobs, out_of_fold
from stages.fine_tuning.pretrained import load_pretrained
from stages.fine_tuning.team import work_together
from stages.fine_tuning.working import Order, do_all
from stages.shared import imports
from stages.shared.curves import write_curve
from stages.shared.encoder import Encoder
from stages.shared.features import encode, encode_target
from stages.shared.finetuned import FineTuned, joined_texts
from stages.shared.folds import groups_of
from stages.shared.schema import ROW, Schema, read_schema
from stages.shared.tokens import tokenised


class FineTuneParams(Params):
    """An encoder, what the task changes in it, and how it is scored."""

    encoder: Annotated[Encoder, At("encoder.{encoder}")]
    overrides: Annotated[dict[str, Any] | None, At("task.{task}.encoders.{encoder}")]
    cv: Annotated[CrossValidation, At("task.{task}.cv")]
    class_weight: Annotated[Literal["balanced"] | None, At("task.{task}.class_weight")]
    device: Annotated[Literal["cpu", "cuda"], At("device")]


CURVES = "data/candidates/{task}/{encoder}/curves"
WATCHED = ("train", "validation")
STAGE = Stage(
    verb="fine_tune",
    desc="Fine-tune {encoder} on {task} and predict every row out of fold",
    params=FineTuneParams,
    over=("task", "encoder"),
    effort=20,
    deps=(
        "data/prepared/{task}/train.parquet",
        "data/prepared/{task}/validation.parquet",
        "data/prepared/{task}/schema.json",
        "data/validated/{task}/verdict",
        "{weights}",
    ),
    outs=(
        "data/candidates/{task}/{encoder}/model.joblib",
        "data/candidates/{task}/{encoder}/out_of_fold.parquet",
        "data/candidates/{task}/{encoder}/candidate.json",
        CURVES,
    ),
    measures=("data/measured/{task}/{encoder}.json",),
    scratch=("data/checkpoints/{task}/{encoder}",),
    pictures=(
        Plot(
            file="{task} - {encoder} - loss",
            title="{task} - {encoder} - loss while training",
            template="linear",
            x="step",
            y="loss",
            x_label="steps",
            files=tuple(f"{CURVES}/plots/metrics/{rows}/loss.tsv" for rows in WATCHED),
        ),
    ),
)


def main(task: str, encoder: str) -> None:
    """Write the fine-tuned network, its out-of-fold predictions, its curve and what it is."""
    params = STAGE.load(task=task, encoder=encoder)
    schema, parts = read_parts(Path("data/prepared", task))
    order = ordered(params, schema, parts, task, encoder)
    print(f"{len(order.jobs)} fits: {len(order.jobs) - 1} for folds, one for all rows", flush=True)
    done = work_together(order.encoder.processes, order.cuda, do_all, order)
    scored = out_of_fold(order.jobs[:-1], done.results[:-1], params.cv.repeats)
    scored.insert(2, ROW, np.tile(pd.concat(parts)[ROW].to_numpy(), params.cv.repeats))
    facts = {
        "code": imports.code_hash("fine_tune"),
        "params": STAGE.fingerprint(task=task, encoder=encoder),
    }
    model = finetuned(order, schema, done.results[-1])
    folder = Path("data/candidates", task, encoder)
    save(folder, model, scored, done.results[-1]["points"])
    write_json(folder / "candidate.json", {"model": encoder, **described(order, model), **facts})
    write_json(Path("data/measured", task, f"{encoder}.json"), done.measured)
    forget(order.folder)  # nothing is unfinished any more


def read_parts(prepared: Path) -> tuple[Schema, list[pd.DataFrame]]:
    """Read the schema, and the rows to train on and those to watch.

    Raises PipelineError for a table that an encoder cannot learn from.
    """
    schema = read_schema(prepared)
    if not schema.has_text or not schema.labels:
        raise PipelineError(
            f"{prepared / 'schema.json'} has no text column, or no classes to predict: "
            f"take encoders out of conf/task/{prepared.name}.yaml"
        )
    return schema, [read_frame(prepared / f"{part}.parquet") for part in WATCHED]


def ordered(
    params: FineTuneParams, schema: Schema, parts: list[pd.DataFrame], task: str, name: str
) -> Order:
    """Lay the task's overrides over the encoder, tokenise every text once, and deal the rows."""
    where = f"conf/task/{task}.yaml: encoders.{name}"
    encoder = params.encoder.checked(params.overrides or {}, where)
    cuda, pretrained = use_cuda(params.device), load_pretrained(encoder, where)
    together = pd.concat(parts)
    y = encode_target(together, schema)
    texts = joined_texts(encode(together, schema), schema, pretrained.separator)
    weights = compute_sample_weight(params.class_weight, y).astype(np.float32)
    examples = Examples(tokenised(pretrained.tokenizer, texts), y, weights)
    jobs = fold_jobs(schema, y, params.cv, groups_of(together), encoder.held_out)
    jobs.append(final_job(*map(len, parts)))
    folder = Path("data/checkpoints", task, name)
    state = fingerprint(
        Path("data/prepared", task), encoder, cuda, STAGE.fingerprint(task=task, encoder=name)
    )
    return Order(encoder, pretrained, examples, len(schema.labels), jobs, cuda, folder, state)


def fingerprint(prepared: Path, encoder: Encoder, cuda: bool, params: str) -> str:
    """Return a hash of all that unfinished work depends on: data, parameters, code, libraries."""
    content = {
        "data": [sha256(prepared / f"{part}.parquet") for part in WATCHED],
        "schema": sha256(prepared / "schema.json"),
        "params": params,
        "code": imports.code_hash("fine_tune"),
        "libraries": imports.versions("fine_tune"),
        "dtype": str(dtype_for(encoder.precision, cuda)),
        "cuda": cuda,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def finetuned(order: Order, schema: Schema, result: State) -> FineTuned:
    """Return the final job's network as plain data."""
    return FineTuned(
        schema=schema,
        config=order.pretrained.config,
        weights=safetensors.torch.save(result["weights"]),
        tokenizer=order.pretrained.tokenizer,
        separator=order.pretrained.separator,
        pooling=order.encoder.pooling,
        temperature=result["temperature"],
        threads=order.encoder.threads,
    )


def described(order: Order, model: FineTuned) -> dict[str, Any]:
    """Return what the candidate is, for those who choose among candidates."""
    encoder, package = order.encoder, order.encoder.package
    config = json.loads(order.pretrained.config)
    return {
        "complexity": encoder.complexity,
        "target": f"{config['model_type']} from {encoder.weights.removeprefix('package:')}",
        "rounds": None,
        "features": config["hidden_size"],
        "encoder": {
            "weights": encoder.weights,
            "revision": encoder.revision,
            "method": encoder.method,
            "pooling": encoder.pooling,
            "max_tokens": encoder.max_tokens,
            "dtype": str(dtype_for(encoder.precision, order.cuda)).removeprefix("torch."),
            "temperature": model.temperature,
        },
        "libraries": imports.versions("fine_tune", *([package] if package else [])),
    }


def save(folder: Path, model: FineTuned, scored: pd.DataFrame, points: Any) -> None:
    """Write the network, its out-of-fold predictions and its curve."""
    write_frame(folder / "out_of_fold.parquet", scored)
    with atomic(folder / "model.joblib") as file:
        joblib.dump(model, file)
    write_curve(folder / "curves", [tuple(point) for point in points])


if __name__ == "__main__":
    STAGE.run(main)
