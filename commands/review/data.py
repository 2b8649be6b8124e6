"""What became of a task's table: rows, columns, splits, and how values are spread."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from commands.review.rows import find_shared_fields, match_same_rows
from commands.review.side import Side
from commands.review.store import MissingError
from stages.shared.errors import PipelineError
from stages.shared.schema import Field, Schema
from stages.validating.distribution import check_relations, check_spreads, check_swaps
from stages.validating.findings import Finding
from stages.validating.prepared import PLACE, Prepared
from stages.validating.spreads import Statistics


@dataclass(frozen=True)
class DataChange:
    """Counts of rows, of edited cells by column, of columns that came, went or changed type.

    ``moved`` rows are in another split than before; ``shifts`` are what `validate` would find if
    the base's table were the accepted one, or ``unknown`` says why that cannot be told.
    """

    before: int
    rows: int
    added: int
    removed: int
    edited: int
    cells: dict[str, int]
    moved: int
    columns: tuple[str, ...]
    shifts: tuple[Finding, ...]
    unknown: str = ""


def compare_data(base: Side, here: Side) -> DataChange:
    """Compare two prepared tables; raises MissingError where one cannot be had."""
    old, new = base.table, here.table
    found = match_same_rows(old, new, find_shared_fields(base.schema, here.schema))
    places = old[PLACE].to_numpy()[found.base], new[PLACE].to_numpy()[found.here]
    shifts, unknown = _find_shifts(base, here)
    return DataChange(
        before=len(old),
        rows=len(new),
        added=len(new) - len(found.here),
        removed=len(old) - len(found.base),
        edited=found.edited,
        cells=found.cells,
        moved=int(np.sum(places[0] != places[1])),
        columns=tuple(_describe_columns(base.schema, here.schema)),
        shifts=shifts,
        unknown=unknown,
    )


def _describe_columns(base: Schema, here: Schema) -> list[str]:
    old, new = ({field.name: field for field in schema.fields} for schema in (base, here))
    return [
        *(f"{name} is new ({new[name].type})" for name in new if name not in old),
        *(f"{name} is gone" for name in old if name not in new),
        *(
            _describe_column(old[name], new[name])
            for name in new
            if name in old and new[name] != old[name]
        ),
    ]


def _describe_column(old: Field, new: Field) -> str:
    if old.type != new.type:
        return f"{new.name} was {old.type}, is {new.type}"
    return f"{new.name} has other values declared"


def _find_shifts(base: Side, here: Side) -> tuple[tuple[Finding, ...], str]:
    try:
        prepared = _make_prepared(base, here)
        rules = (check_spreads, check_swaps, check_relations)
        return tuple(finding for rule in rules for finding in rule(prepared)), ""
    except MissingError as error:
        return (), str(error)
    except PipelineError as error:
        return (), f"the contract of one side cannot be read: {error}"


def _make_prepared(base: Side, here: Side) -> Prepared:
    """Return the table here with the base's in the place of the accepted one."""
    contract = here.contract
    frame: pd.DataFrame = here.table
    return Prepared(
        task=here.task,
        columns=contract.columns,
        target=contract.target,
        split=contract.split,
        frame=frame,
        accepted=Statistics.parse(base.statistics, f"statistics of {base.snapshot.name}"),
    )
