"""Learns how windows vary to which nothing happened: ``python -m stages.calibrate heart``."""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd

from stages.contract.split import Split
from stages.monitoring.calibrating import calibrate
from stages.monitoring.columns import Array, make_plain
from stages.monitoring.settings import MonitoringSettings
from stages.monitoring.table import (
    LOSS,
    bound_rows,
    compute_losses,
    list_answers,
    list_columns,
    tabulate_answers,
)
from stages.runner.declare import At, Params, Stage
from stages.shared.schema import ROW, TARGET, Schema, read_schema
from stages.shared.storage import read_frame, write_frame, write_text


class CalibrateParams(Params):
    """How windows are judged, and which column, if any, rows are split by in time."""

    monitoring: Annotated[MonitoringSettings, At("monitoring")]
    split: Annotated[Split, At("task.{task}.split")]


STAGE = Stage(
    verb="calibrate",
    desc="Learn how windows of {task} vary to which nothing happened",
    params=CalibrateParams,
    deps=(
        "data/prepared/{task}/train.parquet",
        "data/prepared/{task}/validation.parquet",
        "data/prepared/{task}/schema.json",
        "data/evaluated/{task}/out_of_fold.parquet",
    ),
    outs=(
        "data/calibrated/{task}/reference.parquet",
        "data/calibrated/{task}/calibration.json",
    ),
)


def main(task: str) -> None:
    """Write the reference, and what sound windows of each size are like."""
    params = STAGE.load(task=task)
    settings, folder = params.monitoring, Path("data/calibrated", task)
    schema = read_schema(Path("data/prepared", task))
    time = params.split.time
    order = time.column if time and time.column in schema.names else None
    table = bound_rows(read_table(task, schema), settings.reference_rows, settings.seed)
    if order:
        table = table.sort_values(order, kind="stable", ignore_index=True)
    plain = make_plain(table, list_columns(schema, table), order)
    calibration = calibrate(plain, settings, list_answers(table), time is not None, order)
    write_frame(folder / "reference.parquet", table)
    write_text(folder / "calibration.json", calibration.model_dump_json() + "\n")
    sizes = ", ".join(f"{null.rows:,}" for null in calibration.sizes) or "none"
    print(f"{task}: reference of {len(table):,} rows; windows that can be judged: {sizes}")


def read_table(task: str, schema: Schema) -> pd.DataFrame:
    """Return the rows to train on with the champion's out-of-fold answers and their losses."""
    prepared = Path("data/prepared", task)
    parts = [read_frame(prepared / f"{part}.parquet") for part in ("train", "validation")]
    known = pd.concat(parts, ignore_index=True)
    unseen = read_frame(Path("data/evaluated", task, "out_of_fold.parquet")).set_index(ROW)
    answers = unseen.loc[known[ROW]].reset_index(drop=True)
    labels = answers.pop("label") if schema.labels else None
    predictions = to_predictions(answers.to_numpy(dtype=np.float64), schema)
    table = known[[*schema.names, TARGET]]
    return pd.concat(
        [
            table,
            tabulate_answers(predictions, schema, labels),
            pd.Series(compute_losses(predictions, known[TARGET], schema), name=LOSS),
        ],
        axis=1,
    )


def to_predictions(values: Array, schema: Schema) -> Array:
    """Return probabilities (n x labels), or for regression values (n)."""
    return values if schema.labels else values[:, 0]


if __name__ == "__main__":
    STAGE.run(main)
