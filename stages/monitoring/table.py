"""The reference's and the window's layout: the contract's columns, answers, truth, and losses.

Plain Parquet: each column under its own name, the model's answers as ``answer: …``, the truth (of
later rows where it is known) as ``_target``, what each answer cost as ``_loss``.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from stages.monitoring.columns import Array, Column
from stages.shared.schema import TARGET, Schema

ANSWER, LOSS, TIME = "answer: ", "_loss", "_time"
LABEL, VALUE = ANSWER + "label", ANSWER + "value"
SMALLEST = 1e-6  # probability that counts in a loss


def tabulate_answers(predictions: Array, schema: Schema, labels: object) -> pd.DataFrame:
    """Return a model's answers as columns; NaN where it had none.

    Of two classes the positive one's probability, of more each one's; and the ``labels`` decided
    for.
    """
    if not schema.labels:
        return pd.DataFrame({VALUE: predictions})
    shown = range(1, 2) if schema.is_binary else range(len(schema.labels))
    columns = {f"{ANSWER}probability of {schema.labels[i]}": predictions[:, i] for i in shown}
    return pd.DataFrame({**columns, LABEL: pd.Series(labels, dtype="str")})


def decide_labels(predictions: Array, schema: Schema, threshold: float | None) -> Array:
    """Return the label decided for, by the threshold or the most probable one; None: no answer."""
    if not schema.labels:
        return np.empty(0, dtype=object)
    known = ~np.isnan(predictions).any(axis=1)
    if threshold is not None and schema.is_binary:
        chosen = (predictions[:, 1] >= threshold).astype(int)
    else:
        chosen = np.nan_to_num(predictions, nan=-1.0).argmax(axis=1)
    return np.asarray(np.where(known, np.array(schema.labels, dtype=object)[chosen], None))


def compute_losses(predictions: Array, truth: pd.Series, schema: Schema) -> Array:
    """Return each row's loss, log loss or squared error; NaN where truth or answer is unknown."""
    if not schema.labels:
        return np.asarray((predictions - truth.to_numpy(dtype=np.float64, na_value=np.nan)) ** 2)
    places = truth.map({label: i for i, label in enumerate(schema.labels)}).to_numpy(np.float64)
    known = ~np.isnan(places)
    found = np.full(len(truth), np.nan)
    chosen = predictions[np.flatnonzero(known), places[known].astype(int)]
    found[known] = -np.log(np.clip(chosen, SMALLEST, 1))
    return found


def find_errors(table: pd.DataFrame, limit: float | None) -> Array:
    """Return 1 for a wrong answer, 0 for a right one: a label that is not the truth, or a squared
    error above the ``limit``. Rows without truth or answer are left out."""
    known = table[LOSS].notna()
    if limit is not None:
        return (table.loc[known, LOSS] > limit).to_numpy(dtype=np.float64)
    return (table.loc[known, LABEL] != table.loc[known, TARGET]).to_numpy(dtype=np.float64)


def bound_rows(table: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """Return at most so many rows, drawn at random, in their order."""
    if len(table) <= most:
        return table.reset_index(drop=True)
    kept = np.random.default_rng(seed).choice(len(table), most, replace=False)
    return table.iloc[np.sort(kept)].reset_index(drop=True)


def list_columns(schema: Schema, table: pd.DataFrame) -> list[Column]:
    """Return what is watched of a table: its inputs, and the answers that it has."""
    inputs = [Column(field.name, field.type) for field in schema.fields]
    answers: Sequence[str] = [name for name in table.columns if name.startswith(ANSWER)]
    return [
        *inputs,
        *(Column(name, "category" if name == LABEL else "number", "answer") for name in answers),
    ]


def list_answers(table: pd.DataFrame) -> frozenset[str]:
    """Return the columns of answers: they follow from the inputs, so no relation is tested."""
    return frozenset(name for name in table.columns if name.startswith(ANSWER))
