"""Parses a raw table, types its columns and splits its rows: ``python -m stages.prepare heart``."""

from pathlib import Path
from typing import Annotated

import pandas as pd

from stages.preparing.casting import Misfits, as_tokens, cast, cast_target, misfits
from stages.preparing.parsing import read_raw
from stages.preparing.splitting import split_names
from stages.shared.contract import Column, Origin, Split, Target
from stages.shared.declare import At, Params, Stage
from stages.shared.expressions import Expression
from stages.shared.schema import GROUP, ROW, SPLITS, TARGET, Derived, Field, Schema
from stages.shared.storage import write_frame, write_json


class PrepareParams(Params):
    """The parts of the contract that say what the table is and how it is split."""

    origin: Annotated[Origin, At("task.{task}.origin")]
    columns: Annotated[dict[str, Column], At("task.{task}.columns")]
    derived: Annotated[dict[str, str], At("task.{task}.derived")]
    target: Annotated[Target, At("task.{task}.target")]
    split: Annotated[Split, At("task.{task}.split")]


STAGE = Stage(
    verb="prepare",
    desc="Parse, type and split the table of {task}",
    params=PrepareParams,
    deps=("data/composed", "{source}"),
    outs=(
        *(f"data/prepared/{{task}}/{split}.parquet" for split in SPLITS),
        "data/prepared/{task}/schema.json",
        "data/prepared/{task}/unparsed.json",
    ),
)


def main(task: str) -> None:
    """Write the three splits, their schema, and the cells that did not parse."""
    params = STAGE.load(task=task)
    folder = Path("data/prepared", task)
    raw = read_raw(params.origin, raw_columns(params), f"conf/task/{task}.yaml, sources")
    table, unparsed = typed(raw, params)
    places = split_names(table[list(params.columns)], raw, params.split)
    for split in SPLITS:
        write_frame(folder / f"{split}.parquet", table[places == split])
    write_json(folder / "schema.json", schema(params).model_dump())
    write_json(folder / "unparsed.json", unparsed)


def raw_columns(params: PrepareParams) -> list[str]:
    """Return the columns to read: the contract's, the target's, those that rows are split by."""
    by = [params.split.group, params.split.time and params.split.time.column]
    names = [*params.columns, *sorted(Expression.parse(params.target.expression).names), *by]
    return list(dict.fromkeys(name for name in names if name))


def typed(raw: pd.DataFrame, params: PrepareParams) -> tuple[pd.DataFrame, Misfits]:
    """Return the table and the cells that did not fit their type.

    The table holds row number, columns and target, and the group where rows are split by it.
    """
    decimal = params.origin.decimal
    rows = pd.Series(range(1, len(raw) + 1), index=raw.index, name=ROW, dtype="int64")
    columns = {name: cast(raw[name], column, decimal) for name, column in params.columns.items()}
    target = cast_target(raw, params.target, decimal)
    found = {name: misfits(raw[name], column, rows) for name, column in columns.items()}
    operands = list(Expression.parse(params.target.expression).names)
    if len(operands) == 1:
        found[TARGET] = misfits(raw[operands[0]], target, rows)
    by = params.split.group
    groups = {GROUP: as_tokens(raw[by])} if by else {}
    table = pd.DataFrame({ROW: rows, **columns, TARGET: target, **groups})
    return table, {name: cells for name, cells in found.items() if cells}


def schema(params: PrepareParams) -> Schema:
    """Return what the later stages need to know of the contract."""
    return Schema(
        problem=params.target.problem,
        fields=tuple(
            Field(name=name, type=column.type, values=column.tokens)
            for name, column in params.columns.items()
        ),
        derived=tuple(Derived(name=name, expression=e) for name, e in params.derived.items()),
        labels=params.target.labels,
        positive=params.target.positive,
    )


if __name__ == "__main__":
    STAGE.run(main)
