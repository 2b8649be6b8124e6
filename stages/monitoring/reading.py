"""Reads a window's file: types its cells as the contract says, and lists those that break it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.contract.columns import Column
from stages.contract.expressions import Expression
from stages.contract.target import Target
from stages.preparing.casting import cast, cast_target
from stages.shared.errors import PipelineError
from stages.shared.schema import TARGET
from stages.shared.storage import read_frame

VERSION = "_version"  # a column of windows that were collected: the model that answered


@dataclass(frozen=True)
class ReadWindow:
    """Typed rows, with the truth where the file has it, and the cells that break the contract."""

    table: pd.DataFrame
    misfits: dict[str, list[str]]
    version: str | None


def read_window(path: Path, columns: Mapping[str, Column], target: Target) -> ReadWindow:
    """Read a Parquet file of later rows.

    Raises PipelineError for a file that is no Parquet, columns that it lacks, or rows that several
    versions of a model have answered.
    """
    try:
        raw = read_frame(path)
    except (ValueError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise PipelineError(f"{path} is no Parquet file: {error}") from error
    lacking = [name for name in columns if name not in raw]
    if lacking:
        raise PipelineError(
            f"{path} lacks the columns {', '.join(lacking)}; it has {', '.join(map(str, raw))}: "
            "bring a window with the contract's columns"
        )
    table = pd.DataFrame({name: cast(raw[name], column) for name, column in columns.items()})
    misfits = {
        name: cells
        for name, column in columns.items()
        if (cells := list_misfits(raw[name], table[name], column))
    }
    operands = Expression.parse(target.expression).names
    if all(name in raw for name in operands):
        table[TARGET] = cast_target(raw, target)
    return ReadWindow(table, misfits, find_version(raw, path))


def find_version(raw: pd.DataFrame, path: Path) -> str | None:
    """Return the version that answered the rows; raises PipelineError where there are several."""
    found = sorted(set(raw[VERSION].dropna().astype(str))) if VERSION in raw else []
    if len(found) > 1:
        raise PipelineError(
            f"{path} mixes the versions {', '.join(found)}: collect a window for each"
        )
    return found[0] if found else None


def list_misfits(raw: pd.Series, typed: pd.Series, column: Column) -> list[str]:
    """Return the cells of another type, out of range, of no known value, or missing unduly."""
    bad = (raw.notna() & typed.isna()).to_numpy().copy()
    if column.range:
        numbers = typed.to_numpy(dtype="float64", na_value=float("nan"))
        bad |= (numbers < column.range[0]) | (numbers > column.range[1])
    if column.values:
        bad |= (typed.notna() & ~typed.isin(column.tokens)).to_numpy()
    if column.missing == "forbidden":
        bad |= raw.isna().to_numpy()
    return [_show(cell) for cell in raw[bad].tolist()]


def _show(cell: Any) -> str:
    return "missing" if cell is None or cell != cell or cell is pd.NA else str(cell)[:60]
