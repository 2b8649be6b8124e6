"""Tables and settings small enough to calibrate in a test."""

from typing import Any

import numpy as np
import pandas as pd

from stages.monitoring.calibrating import calibrate
from stages.monitoring.columns import Column, make_plain
from stages.monitoring.findings import Report
from stages.monitoring.judging import Window, judge_window
from stages.monitoring.reference import Reference
from stages.monitoring.settings import MonitoringSettings
from stages.monitoring.table import LOSS, VALUE, list_answers, list_columns
from stages.shared.schema import TARGET, Field, Schema

SETTINGS = {
    "budget": 0.01,
    "seed": 3,
    "reference_rows": 10_000,
    "sizes": [50, 100, 250],
    "windows": 1000,
    "harmless": 0.2,
    "power": {"shift": 0.3, "probability": 0.9},
}
SCHEMA = Schema(
    problem="regression",
    fields=(
        Field(name="height", type="number"),
        Field(name="weight", type="number"),
        Field(name="rounded", type="integer"),
        Field(name="income", type="number"),
        Field(name="constant", type="number"),
        Field(name="empty", type="number"),
        Field(name="kind", type="category", values=("a", "b", "rare")),
    ),
)


def make_settings(**changes: Any) -> MonitoringSettings:
    return MonitoringSettings.model_validate({**SETTINGS, **changes})


def draw_table(rows: int, seed: int) -> pd.DataFrame:
    """Draw rows with ties, heavy tails, missing cells, a rare value; the model errs by noise of 1.

    The answer is what the model says: twice the height. The truth is that, and noise.
    """
    rng = np.random.default_rng(seed)
    height = rng.standard_normal(rows)
    income = np.exp(1.2 * rng.standard_normal(rows))
    answer, noise = 2 * height, rng.standard_normal(rows)
    return pd.DataFrame(
        {
            "height": height,
            "weight": 0.9 * height + np.sqrt(1 - 0.81) * rng.standard_normal(rows),
            "rounded": pd.array(rng.poisson(2.0, rows), dtype="Int64"),
            "income": np.where(rng.random(rows) < 0.03, np.nan, income),
            "constant": 7.0,
            "empty": np.full(rows, np.nan),
            "kind": rng.choice(["a", "b", "rare"], rows, p=[0.7, 0.297, 0.003]),
            VALUE: answer,
            TARGET: answer + noise,
            LOSS: noise**2,
        }
    )


def predict(frame: pd.DataFrame) -> np.ndarray[Any, np.dtype[Any]]:
    """Answer as the model of `draw_table` does."""
    return 2 * frame["height"].to_numpy(dtype=np.float64)


def make_reference(rows: int = 3000, seed: int = 1, **changes: Any) -> Reference:
    table = draw_table(rows, seed)
    plain = make_plain(table, list_columns(SCHEMA, table))
    calibration = calibrate(plain, make_settings(**changes), list_answers(table))
    return Reference.prepare("demo", table, SCHEMA, calibration)


def judge(reference: Reference, table: pd.DataFrame, **more: Any) -> Report:
    """Judge a window without its outcomes, unless they are asked for."""
    shown = table if more.pop("outcomes", False) else table.drop(columns=[TARGET, LOSS])
    return judge_window(reference, Window(shown, "v1", **more), make_settings(), predict)


def list_numbers(names: list[str]) -> list[Column]:
    return [Column(name, "number") for name in names]
