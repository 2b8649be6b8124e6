"""What a fine-tuned encoder leaves for those who choose among candidates."""

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import safetensors.torch

from stages.fine_tuning.checkpoints import State
from stages.fine_tuning.hardware import dtype_for
from stages.fine_tuning.jobs import averaged, calibrated, out_of_fold
from stages.fine_tuning.working import Order
from stages.runner import imports
from stages.shared.curves import Curve, write_curve
from stages.shared.finetuned import FineTuned
from stages.shared.schema import ROW, Schema
from stages.shared.storage import atomic, write_frame


def finished(order: Order, results: list[State], repeats: int) -> tuple[list[State], Curve]:
    """Return the jobs' results, each with its temperature, and the curve of the losses.

    Without rows held out the curve is the mean over the folds: the rows they predict are watched.
    """
    if order.encoder.validation_fraction:
        return results, [tuple(point) for point in results[-1]["points"]]
    curve = averaged([result["points"] for result in results[:-1]])
    return calibrated(order.jobs, results, order.examples, repeats), curve


def scored_rows(
    order: Order, results: list[State], parts: list[pd.DataFrame], repeats: int
) -> pd.DataFrame:
    """Return the out-of-fold predictions, with the numbers that the rows have in ``parts``."""
    table = out_of_fold(order.jobs[:-1], results[:-1], repeats)
    table.insert(2, ROW, np.tile(pd.concat(parts)[ROW].to_numpy(), repeats))
    return table


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
        "rows": len(order.jobs[-1].fitted),
        "features": config["hidden_size"],
        "encoder": {
            "weights": encoder.weights,
            "revision": encoder.revision,
            "method": encoder.method,
            "pooling": encoder.pooling,
            "max_length": encoder.max_length,
            "dtype": str(dtype_for(encoder.precision, order.cuda)).removeprefix("torch."),
            "temperature": model.temperature,
        },
        "libraries": imports.versions("fine_tune", *([package] if package else [])),
    }


def save(folder: Path, model: FineTuned, scored: pd.DataFrame, curve: Curve) -> None:
    """Write the network, its out-of-fold predictions and its curve."""
    write_frame(folder / "out_of_fold.parquet", scored)
    with atomic(folder / "model.joblib") as file:
        joblib.dump(model, file)
    write_curve(folder / "curves", curve)
