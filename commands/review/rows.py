"""Finds the same rows in two tables by what they hold: row numbers shift when a row is added."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stages.shared.features import encode_column
from stages.shared.schema import ROW, TARGET, Field, Schema

Array = np.ndarray[Any, np.dtype[Any]]
ALIKE = 0.5  # share of cells in which a row that stayed in its place must agree to be the same


@dataclass(frozen=True)
class Matched:
    """The same rows of two tables: ``base[i]`` and ``here[i]`` are positions of one row.

    ``edited`` of the pairs differ in some cells; ``cells`` counts those for each column.
    """

    base: Array
    here: Array
    edited: int
    cells: dict[str, int]


def find_shared_fields(base: Schema, here: Schema) -> list[Field]:
    """Return the columns of both, and the target; numbers and integers are of one kind."""
    kinds = {field.name: _find_kind(field) for field in base.fields}
    return [field for field in here.fields if kinds.get(field.name) == _find_kind(field)]


def match_equal_rows(base: pd.DataFrame, here: pd.DataFrame, fields: Sequence[Field]) -> Matched:
    """Match the rows that agree in every field and the target, each row once."""
    left, right = (_hash_cells(frame, fields).sum(axis=1) for frame in (base, here))
    pairs = _join_keys(_number_keys(left), _number_keys(right))
    return Matched(*pairs, 0, {})


def match_same_rows(base: pd.DataFrame, here: pd.DataFrame, fields: Sequence[Field]) -> Matched:
    """Match equal rows, then of the others those that were edited.

    A row was edited where no other one agrees with it in all columns but one, or where it kept its
    number and at least ALIKE of its cells.
    """
    names = [*(field.name for field in fields), TARGET]
    hashes = _hash_cells(base, fields), _hash_cells(here, fields)
    keys = [cells.sum(axis=1) for cells in hashes]
    left, right = _join_keys(*map(_number_keys, keys))
    rest = [np.setdiff1d(np.arange(len(k)), m) for k, m in zip(keys, (left, right), strict=True)]
    edits, cells = [], dict.fromkeys(names, 0)
    for place, name in enumerate(names):
        some = [(k - h[:, place])[r] for k, h, r in zip(keys, hashes, rest, strict=True)]
        edits.append(_take_pairs(rest, _join_keys(*map(_keep_unique_keys, some))))
        cells[name] += len(edits[-1][0])
    stayed = _match_places(base, here, hashes, rest)
    for name, differs in zip(names, (hashes[0][stayed[0]] != hashes[1][stayed[1]]).T, strict=True):
        cells[name] += int(differs.sum())
    known = [(left, right), *edits, stayed]
    olds, news = (np.concatenate([pair[side] for pair in known]) for side in (0, 1))
    counts = {name: count for name, count in cells.items() if count}
    return Matched(olds, news, len(olds) - len(left), counts)


def _find_kind(field: Field) -> str:
    return "number" if field.type == "integer" else field.type


def _hash_cells(frame: pd.DataFrame, fields: Sequence[Field]) -> Array:
    """Return a hash of each cell (rows x fields and target), such that a row's is their sum."""
    cells = [
        _read_words(frame[field.name])
        if field.type == "category"
        else encode_column(frame[field.name], field)
        for field in fields
    ]
    target = frame[TARGET]
    is_value = pd.api.types.is_numeric_dtype(target)
    cells.append(target.to_numpy(np.float64, na_value=np.nan) if is_value else _read_words(target))
    names = [*(field.name for field in fields), TARGET]
    odd = pd.util.hash_array(np.array(names, dtype=object)) | np.uint64(1)
    return np.column_stack(
        [_hash_column(column) * factor for column, factor in zip(cells, odd, strict=True)]
    )


def _read_words(cells: pd.Series) -> Array:
    return cells.astype(object).where(cells.notna(), "").to_numpy()


def _hash_column(cells: Array) -> Array:
    plain = cells if cells.dtype == object else cells.astype(np.float64) + 0.0  # -0.0 is 0.0
    return np.asarray(pd.util.hash_array(plain))


def _number_keys(keys: Array) -> pd.DataFrame:
    """Return each key with how many equal ones came before it."""
    table = pd.DataFrame({"key": keys, "place": np.arange(len(keys))})
    return table.assign(turn=table.groupby("key").cumcount())


def _keep_unique_keys(keys: Array) -> pd.DataFrame:
    table = _number_keys(keys)
    return table[~table["key"].duplicated(keep=False)]


def _join_keys(left: pd.DataFrame, right: pd.DataFrame) -> tuple[Array, Array]:
    pairs = left.merge(right, on=["key", "turn"], suffixes=("_left", "_right"))
    return pairs["place_left"].to_numpy(), pairs["place_right"].to_numpy()


def _take_pairs(rest: list[Array], pairs: tuple[Array, Array]) -> tuple[Array, Array]:
    """Take the matched rows out of ``rest``, and return their positions in the tables."""
    found = rest[0][pairs[0]], rest[1][pairs[1]]
    rest[:] = [np.delete(side, own) for side, own in zip(rest, pairs, strict=True)]
    return found


def _match_places(
    base: pd.DataFrame, here: pd.DataFrame, hashes: tuple[Array, Array], rest: list[Array]
) -> tuple[Array, Array]:
    old, new = (frame[ROW].to_numpy()[r] for frame, r in zip((base, here), rest, strict=True))
    _, left, right = np.intersect1d(old, new, return_indices=True)
    pairs = rest[0][left], rest[1][right]
    alike = (hashes[0][pairs[0]] == hashes[1][pairs[1]]).mean(axis=1) >= ALIKE
    return pairs[0][alike], pairs[1][alike]
