"""Parses a raw table, types its columns and splits its rows: ``python -m stages.prepare heart``."""

from pathlib import Path
from typing import Annotated, Literal

import pandas as pd

from stages.contract.columns import Column
from stages.contract.expressions import Expression
from stages.contract.source import Origin
from stages.contract.split import Split
from stages.contract.target import Target
from stages.preparing.casting import Misfits, as_tokens, cast, cast_target, find_misfits
from stages.preparing.parsing import read_column_names, read_raw
from stages.preparing.quarantine import find_faults, set_aside
from stages.preparing.splitting import assign_splits
from stages.runner.declare import At, Params, Stage
from stages.shared.frozen import Items
from stages.shared.schema import GROUP, ROW, SLICE, SPLITS, TARGET, Derived, Field, Schema
from stages.shared.storage import write_frame, write_json, write_text


class PrepareParams(Params):
    """The parts of the contract that say what the table is and how it is split."""

    origin: Annotated[Origin, At("task.{task}.origin")]
    columns: Annotated[dict[str, Column], At("task.{task}.columns")]
    derived: Annotated[dict[str, str], At("task.{task}.derived")]
    target: Annotated[Target, At("task.{task}.target")]
    slices: Annotated[Items[str], At("task.{task}.slices")]
    split: Annotated[Split, At("task.{task}.split")]
    on_bad_rows: Annotated[Literal["fail", "quarantine"], At("task.{task}.on_bad_rows")]
    max_bad_row_share: Annotated[float, At("task.{task}.max_bad_row_share")]

    @property
    def quarantines(self) -> bool:
        return self.on_bad_rows == "quarantine"


STAGE = Stage(
    verb="prepare",
    desc="Parse, type and split the table of {task}",
    params=PrepareParams,
    deps=("{source}",),
    outs=(
        *(f"data/prepared/{{task}}/{split}.parquet" for split in SPLITS),
        "data/prepared/{task}/schema.json",
        "data/prepared/{task}/unparsed.json",
        "data/prepared/{task}/reading.json",
        "data/prepared/{task}/quarantine.csv",
    ),
)


def main(task: str) -> None:
    """Write the three splits, their schema, and what was lost on the way to them."""
    params = STAGE.load(task=task)
    folder, where = Path("data/prepared", task), f"conf/task/{task}.yaml"
    wanted = raw_columns(params)
    raw = read_raw(params.origin, wanted, f"{where}, sources")
    table, unparsed = cast_table(raw, params)
    found = find_faults(raw, table, params.columns, params.target) if params.quarantines else {}
    bad, aside = set_aside(
        raw, table, found, params.max_bad_row_share, f"{where}: max_bad_row_share"
    )
    places = assign_splits(table[list(params.columns)], raw, params.split)
    for split in SPLITS:
        write_frame(folder / f"{split}.parquet", table[(places == split) & ~bad])
    write_json(folder / "schema.json", build_schema(params).model_dump())
    write_json(folder / "unparsed.json", {} if params.quarantines else unparsed)
    write_text(folder / "quarantine.csv", aside.to_csv(index=False, lineterminator="\n"))
    write_json(
        folder / "reading.json",
        {
            "columns": read_column_names(params.origin, wanted, f"{where}, sources"),
            "quarantined": int(bad.sum()),
            "reasons": {reason: int(mask.sum()) for reason, mask in found.items()},
        },
    )


def raw_columns(params: PrepareParams) -> list[str]:
    """Return the columns to read: the contract's, the target's, those to slice and split by."""
    by = [*params.slices, params.split.group, params.split.time and params.split.time.column]
    names = [*params.columns, *sorted(Expression.parse(params.target.expression).names), *by]
    return list(dict.fromkeys(name for name in names if name))


def cast_table(raw: pd.DataFrame, params: PrepareParams) -> tuple[pd.DataFrame, Misfits]:
    """Return the table and the cells that did not fit their type.

    The table holds row number, columns and target, what to slice by, and the group where rows are
    split by it.
    """
    origin = params.origin
    rows = pd.Series(range(1, len(raw) + 1), index=raw.index, name=ROW, dtype="int64")
    columns = {
        name: cast(raw[name], column, origin.get_decimal(name))
        for name, column in params.columns.items()
    }
    target = cast_target(raw, params.target, origin.decimal, origin.decimal_in)
    found = {name: find_misfits(raw[name], column, rows) for name, column in columns.items()}
    operands = list(Expression.parse(params.target.expression).names)
    if len(operands) == 1:
        found[TARGET] = find_misfits(raw[operands[0]], target, rows)
    by = params.split.group
    others = {SLICE + name: as_tokens(raw[name]) for name in params.slices}
    others |= {GROUP: as_tokens(raw[by])} if by else {}
    table = pd.DataFrame({ROW: rows, **columns, TARGET: target, **others})
    return table, {name: cells for name, cells in found.items() if cells}


def build_schema(params: PrepareParams) -> Schema:
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
