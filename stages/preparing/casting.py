"""Gives raw columns the types of the contract, and keeps account of the cells that do not fit."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from serve.runtime.spelling import BOOLEANS, EXACT, clean_text, to_token
from stages.contract.columns import Column
from stages.contract.expressions import Expression
from stages.contract.target import Target

SHOWN = 20  # misfits listed per column
DATE_LIKE = r"\d{4}[-+:.,TZ \d]*"  # pandas would read "now" and "-5" as dates, too
Misfits = dict[str, dict[str, Any]]
NOWHERE: Mapping[str, str] = {}


def cast(raw: pd.Series, column: Column, decimal: str = ".") -> pd.Series:
    """Return the column in its type; a cell that does not fit becomes missing.

    number float64, integer Int64, boolean, category and text str, datetime microseconds in UTC.
    """
    match column.type:
        case "number":
            return to_numbers(raw, decimal)
        case "integer":
            numbers = to_numbers(raw, decimal)
            return numbers.where((numbers % 1 == 0) & (numbers.abs() < EXACT)).astype("Int64")
        case "boolean":
            return _to_booleans(raw)
        case "category":
            return _to_categories(raw, column.tokens)
        case "datetime":
            return to_dates(raw)
        case "text":
            return to_texts(raw, column.normalise)


def to_numbers(raw: pd.Series, decimal: str = ".") -> pd.Series:
    """Return float64; a cell that is no number becomes NaN.

    With a decimal comma so does one with a point: it may stand between thousands.
    """
    if decimal != "." and isinstance(raw.dtype, pd.StringDtype):
        raw = raw.mask(raw.str.contains(".", regex=False)).str.replace(decimal, ".", regex=False)
    if raw.dtype.kind in "mM":
        raw = raw.astype("str")  # a date is no number
    return pd.to_numeric(raw, errors="coerce").astype("float64")


def to_dates(raw: pd.Series) -> pd.Series:
    """Return ISO 8601 dates and times in UTC, without a zone; others become missing.

    Digits beyond microseconds are cut off.
    """
    if raw.dtype.kind != "M":
        text = _to_text(raw)
        short = text.str.replace(r"([.,]\d{6})\d+", r"\1", regex=True)
        raw = short.where(text.str.fullmatch(DATE_LIKE))
    dates = pd.to_datetime(raw, errors="coerce", utc=True, format="ISO8601")
    return dates.dt.tz_localize(None).astype("datetime64[us]")


def to_texts(raw: pd.Series, form: Literal["NFC", "NFKC"] | None) -> pd.Series:
    """Return str in the Unicode normalisation form, without blanks around it; blank is missing."""
    texts = _to_text(raw)
    clean = texts.map(lambda cell: clean_text(cell, form), na_action="ignore").astype("str")
    return clean.mask(clean == "")


def find_misfits(raw: pd.Series, typed: pd.Series, rows: pd.Series) -> dict[str, Any] | None:
    """Return count, first rows and first values of the cells that casting could not keep."""
    lost = (raw.notna() & typed.isna()).to_numpy()
    if not lost.any():
        return None
    values = raw[lost].astype(str).drop_duplicates().head(SHOWN)
    shown = rows[lost].head(SHOWN)
    return {"count": int(lost.sum()), "rows": shown.tolist(), "values": values.tolist()}


def cast_target(
    raw: pd.DataFrame,
    target: Target,
    decimal: str = ".",
    decimal_in: Mapping[str, str] = NOWHERE,
) -> pd.Series:
    """Return the target: class names (or an undeclared value as it is), or float64 numbers."""
    expression = Expression.parse(target.expression)
    if target.classes is None:
        operands = {
            name: to_numbers(raw[name], decimal_in.get(name, decimal)).to_numpy()
            for name in expression.names
        }
        return pd.Series(expression.evaluate(operands), index=raw.index, dtype="float64")
    tokens = _read_target_tokens(raw, expression, target.classes, decimal, decimal_in)
    return tokens.map(target.classes).fillna(tokens).astype("str")


def _read_target_tokens(
    raw: pd.DataFrame,
    expression: Expression,
    classes: dict[str, str],
    decimal: str,
    decimal_in: Mapping[str, str],
) -> pd.Series:
    if expression.column:
        return _to_categories(raw[expression.column], tuple(classes))
    text = expression.wanted_text
    operands = {
        name: _to_operand(raw[name], text, decimal_in.get(name, decimal))
        for name in expression.names
    }
    missing = np.logical_or.reduce([pd.isna(values) for values in operands.values()])
    values = pd.Series(expression.evaluate(operands), index=raw.index)
    return values.map(to_token).mask(missing)


def _to_operand(raw: pd.Series, text: str | None, decimal: str) -> Any:
    """Return the cells as text where the formula compares with ``text``, else as numbers."""
    if text is not None:
        return _to_categories(raw, (text,)).to_numpy(dtype=object)
    return to_numbers(raw, decimal).to_numpy()


def _to_booleans(raw: pd.Series) -> pd.Series:
    words = _to_text(raw).str.lower()
    return words.map(BOOLEANS, na_action="ignore").astype("boolean")


def _to_categories(raw: pd.Series, tokens: tuple[str, ...]) -> pd.Series:
    """Return text; ``3.0`` counts as ``3`` where the contract lists ``3``."""
    text = _to_text(raw)
    strange = [value for value in text.dropna().unique() if value not in tokens]
    spelled = {value: to_token(value) for value in strange if to_token(value) in tokens}
    return text.replace(spelled) if spelled else text


def as_tokens(raw: pd.Series) -> pd.Series:
    """Return text that is equal where the cells are, however a file writes them: 3 and 3.0."""
    if raw.dtype == object:  # which may hold both 1 and True, or lists
        return raw.map(to_token, na_action="ignore").astype("str")
    codes, different = pd.factorize(raw)  # each different cell is looked at once
    tokens = np.array([*map(to_token, different), np.nan], dtype=object)
    return pd.Series(tokens[codes], index=raw.index, name=raw.name).astype("str")


def _to_text(raw: pd.Series) -> pd.Series:
    if isinstance(raw.dtype, pd.StringDtype):
        return raw.astype("str")
    return as_tokens(raw)
