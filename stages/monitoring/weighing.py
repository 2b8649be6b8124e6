"""Weighs each drifted column by what it does to the loss."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from stages.monitoring.columns import Array, Plain
from stages.monitoring.findings import Estimate, Finding, Harm
from stages.monitoring.harm import (
    Predict,
    carry_categories,
    carry_numbers,
    estimate_faulty,
    estimate_real,
    find_parts,
    read_cells,
)
from stages.monitoring.reference import Reference


def estimate_harms(
    reference: Reference,
    table: pd.DataFrame,
    plain: Plain,
    found: Sequence[Finding],
    predict: Predict | None,
    seed: int,
) -> dict[str, Harm]:
    """Return what each drifted input does to the loss, where losses or a model tell it."""
    losses = reference.losses
    if not len(losses) or not np.isfinite(losses).all():
        return {}
    inputs = set(reference.schema.names)
    columns = sorted({f.column for f in found if f.column is not None} & inputs)
    return {
        name: Harm(
            if_real=_estimate_real(reference, plain, name, losses),
            if_faulty=_estimate_faulty(reference, table, name, predict, seed),
        )
        for name in columns
    }


def _estimate_real(reference: Reference, plain: Plain, name: str, losses: Array) -> Estimate | None:
    old, new = read_cells(reference.plain, name), read_cells(plain, name)
    if old is None or new is None:
        return None
    return estimate_real(*find_parts(old, new), losses)


def _estimate_faulty(
    reference: Reference, table: pd.DataFrame, name: str, predict: Predict | None, seed: int
) -> Estimate | None:
    cells = table[name]
    old = read_cells(reference.plain, name)
    if predict is None or old is None or cells.dtype.kind == "M":
        return None
    is_number = old.dtype.kind == "f"
    carried = carry_numbers(cells, old) if is_number else carry_categories(cells, old, seed)
    return estimate_faulty(table, name, carried, predict, float(reference.losses.mean()))
