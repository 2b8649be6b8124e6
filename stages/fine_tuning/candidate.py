"""What a fine-tuned encoder leaves for those who choose among candidates."""

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import safetensors.torch

from stages.fine_tuning.checkpoints import State
from stages.fine_tuning.hardware import select_dtype
from stages.fine_tuning.jobs import average_curves, calibrate_results, join_out_of_fold
from stages.fine_tuning.runner import FineTuningPlan
from stages.runner import imports
from stages.shared.curves import Curve, write_curve
from stages.shared.finetuned import FineTuned
from stages.shared.schema import ROW, Schema
from stages.shared.storage import atomic, write_frame


def calibrate_and_average(
    plan: FineTuningPlan, results: list[State], repeats: int
) -> tuple[list[State], Curve]:
    """Return the jobs' results, each with its temperature, and the curve of the losses.

    Without rows held out the curve is the mean over the folds: the rows they predict are watched.
    """
    if plan.encoder.validation_fraction:
        return results, [tuple(point) for point in results[-1]["points"]]
    curve = average_curves([result["points"] for result in results[:-1]])
    return calibrate_results(plan.jobs, results, plan.examples, repeats), curve


def tabulate_out_of_fold(
    plan: FineTuningPlan, results: list[State], parts: list[pd.DataFrame], repeats: int
) -> pd.DataFrame:
    """Return the out-of-fold predictions, with the numbers that the rows have in ``parts``."""
    table = join_out_of_fold(plan.jobs[:-1], results[:-1], repeats)
    table.insert(2, ROW, np.tile(pd.concat(parts)[ROW].to_numpy(), repeats))
    return table


def build_model(plan: FineTuningPlan, schema: Schema, result: State) -> FineTuned:
    """Return the final job's network as plain data."""
    return FineTuned(
        schema=schema,
        config=plan.pretrained.config,
        weights=safetensors.torch.save(result["weights"]),
        tokenizer=plan.pretrained.tokenizer,
        separator=plan.pretrained.separator,
        pooling=plan.encoder.pooling,
        temperature=result["temperature"],
        threads=plan.encoder.threads,
        windows=plan.encoder.windows,
    )


def describe_candidate(plan: FineTuningPlan, model: FineTuned) -> dict[str, Any]:
    """Return what the candidate is, for those who choose among candidates."""
    encoder, package = plan.encoder, plan.encoder.package
    config = json.loads(plan.pretrained.config)
    return {
        "complexity": encoder.complexity,
        "target": f"{config['model_type']} from {encoder.weights.removeprefix('package:')}",
        "rounds": None,
        "rows": len(plan.jobs[-1].fitted),
        "features": config["hidden_size"],
        "encoder": {
            "weights": encoder.weights,
            "revision": encoder.revision,
            "method": encoder.method,
            "pooling": encoder.pooling,
            "max_length": encoder.max_length,
            "windows": encoder.windows,
            "dtype": str(select_dtype(encoder.precision, plan.cuda)).removeprefix("torch."),
            "temperature": model.temperature,
        },
        "libraries": imports.list_versions("fine_tune", *([package] if package else [])),
    }


def save_candidate(folder: Path, model: FineTuned, scored: pd.DataFrame, curve: Curve) -> None:
    """Write the network, its out-of-fold predictions and its curve."""
    write_frame(folder / "out_of_fold.parquet", scored)
    with atomic(folder / "model.joblib") as file:
        joblib.dump(model, file)
    write_curve(folder / "curves", curve)
