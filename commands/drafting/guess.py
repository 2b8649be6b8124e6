"""Guesses what each column of a table is, and says why."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from serve.runtime.spelling import FALSE, TRUE
from stages.preparing.casting import as_tokens, to_dates, to_numbers
from stages.shared.heuristics import find_sentinels, is_named_as_identifier
from stages.shared.schema import RESERVED
from stages.validating.spellings import AMOUNTS, DAY_FIRST, suggest_form

MARKS = (
    "-",
    "--",
    ".",
    "n.a.",
    "n/a",
    "NULL",
    "nil",
    "#N/A",
    "#NA",
    "#VALUE!",
    "\\N",
    "missing",
    "unknown",
)
FEW = 50  # different words that make a category
SPARE = 5  # rows for each of them
CODES = 12  # different whole numbers that may be codes
LONG = 30  # characters from which words are a text
TINY = 1e-300  # below it a float loses its digits
SLACK = 0.5  # of the span, on each side of what was seen


@dataclass(frozen=True)
class Guess:
    """A column as the contract will have it, or ``left_out`` with the reason."""

    name: str
    type: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    comment: str = ""
    left_out: str = ""
    marks: tuple[str, ...] = ()  # that stand for missing in this column alone


def guess_column(name: str, cells: pd.Series, decimal: str) -> Guess:
    """Return what a column of raw cells is.

    Missing cells are allowed where there are any; a range has room beyond what was seen.
    """
    marks = _find_marks(cells, decimal)
    present = cells[~as_tokens(cells).isin(marks)].dropna() if marks else cells.dropna()
    found = _leave_out(name, present) or _guess_type(name, present, decimal)
    if not found.left_out and len(present) < len(cells):
        share = 1 - len(present) / len(cells)
        options = {**found.options, "missing": "allowed"}
        words = [found.comment, f"{100 * share:.2g} % of the rows lack it"]
        return Guess(name, found.type, options, "; ".join(filter(None, words)), marks=marks)
    return Guess(name, found.type, found.options, found.comment, found.left_out, marks)


def _find_marks(cells: pd.Series, decimal: str) -> tuple[str, ...]:
    """Return the texts that stand for missing: known ones, and a number far off all others."""
    texts = as_tokens(cells.dropna())
    known = [mark for mark in MARKS if (texts == mark).any()]
    numbers = to_numbers(cells, decimal).dropna()
    if len(numbers) < 0.5 * len(texts):
        return tuple(mark for mark in known if mark in MARKS[:2] or mark.startswith("#"))
    return (*known, *(f"{value:g}" for value in find_sentinels(numbers.to_numpy())))


def _leave_out(name: str, present: pd.Series) -> Guess | None:
    reason = None
    different = as_tokens(present).nunique()
    if not name or name in RESERVED:
        reason = "it has no name of its own"
    elif different == 0:
        reason = "it holds nothing"
    elif is_nested(present):
        reason = f"it holds lists or records ({str(present.iloc[0])[:40]}): make columns of them"
    elif different == 1:
        reason = f"every value present is {str(present.iloc[0])[:40]}"
    elif different == len(present) and len(present) > SPARE and is_identifier(name, present):
        reason = "an identifier: each value occurs once"
    return Guess(name, left_out=reason) if reason else None


def is_nested(cells: pd.Series) -> bool:
    """Say whether cells hold several values each, as Parquet's lists and structs do."""
    return cells.dtype == object and bool(cells.map(pd.api.types.is_list_like).any())


def is_identifier(name: str, present: pd.Series) -> bool:
    """Say whether a column is named as an identifier is, counts its rows, or holds codes."""
    named = is_named_as_identifier(name)
    numbers = pd.to_numeric(present, errors="coerce")
    if numbers.notna().all():
        whole = bool((numbers % 1 == 0).all())
        counts = bool((numbers.diff().dropna() == 1).all())
        return whole and (named or counts)
    words = as_tokens(present)
    if to_dates(present).notna().all() or words.str.fullmatch(DAY_FIRST).all():
        return False
    return named or not (words.str.contains(" ").any() or words.str.len().nunique() > 1)


def _guess_type(name: str, present: pd.Series, decimal: str) -> Guess:
    if pd.api.types.is_bool_dtype(present):
        return Guess(name, "boolean")
    if pd.api.types.is_datetime64_any_dtype(present):
        return Guess(name, "datetime")
    words = as_tokens(present)
    if words.str.lower().isin([*TRUE[:4], *FALSE[:4]]).all():
        return Guess(name, "boolean")
    numbers = to_numbers(present, decimal)
    if numbers.notna().all():
        return _guess_number(name, numbers)
    if to_dates(present).notna().all():
        return Guess(name, "datetime")
    return _guess_words(name, words, numbers)


def _guess_number(name: str, numbers: pd.Series) -> Guess:
    whole = bool((numbers % 1 == 0).all())
    different = sorted(numbers.unique())
    if whole and len(different) == 2:
        return Guess(name, "category", {"values": [int(value) for value in different]})
    comment = ""
    if whole and len(different) <= CODES:
        values = [int(value) for value in different]
        comment = f"if these are codes: {{type: category, values: {values}}}"
    finite = numbers[np.isfinite(numbers)]
    kind = "integer" if whole else "number"
    return Guess(
        name, kind, {"unit": "", "range": widen_range(finite.min(), finite.max(), whole)}, comment
    )


def widen_range(low: float, high: float, whole: bool) -> list[float]:
    """Return bounds with room for half the span on each side, round, and on the same side of 0."""
    span = max(high - low, abs(high) * 1e-9) or 1.0
    step = max(10.0 ** np.floor(np.log10(span)), TINY)
    if whole:
        step = max(step, 1.0)
    bounds = [
        float(np.floor((low - SLACK * span) / step) * step),
        float(np.ceil((high + SLACK * span) / step) * step),
    ]
    if low >= 0:
        bounds[0] = max(bounds[0], 0.0)
    if high <= 0:
        bounds[1] = min(bounds[1], 0.0)
    bottom, top = (float(f"{bound:.12g}") for bound in bounds)
    return [min(bottom, float(low)), max(top, float(high))]


def _guess_words(name: str, words: pd.Series, numbers: pd.Series) -> Guess:
    different = words.unique().tolist()
    amount = suggest_form(different, AMOUNTS)
    if words.str.fullmatch(DAY_FIRST).all() or (amount and len(different) > CODES):
        words_of = amount or repr(different[0][:40])
        return Guess(name, left_out=f"neither numbers nor ISO 8601 dates: {words_of}")
    if len(different) <= FEW and len(different) * SPARE <= len(words):
        return Guess(
            name, "category", {"values": _read_values(different)}, _describe_variants(different)
        )
    if numbers.notna().mean() > 0.8:
        strange = words[numbers.isna()].iloc[0]
        return Guess(
            name, left_out=f"numbers, but for {strange[:40]!r}: mend these, or list what is missing"
        )
    if _is_prose(words):
        most = int(widen_range(0, words.str.len().max(), whole=True)[1])
        return Guess(name, "text", {"length": [1, most], "normalise": "NFC"})
    if words.str.contains(r"\d").all() and words.str.len().max() <= LONG:
        example = words.iloc[0][:40]
        return Guess(name, left_out=f"neither numbers nor ISO 8601 dates: {example!r}")
    return Guess(name, left_out=f"{len(different):,} different values: too many for a category")


def _is_prose(words: pd.Series) -> bool:
    """Say whether most cells are several words, or long."""
    blanks = words.str.count(r"\s+")
    return bool(
        (blanks >= 2).mean() > 0.5 or ((blanks >= 1) & (words.str.len() >= LONG)).mean() > 0.5
    )


def _read_values(different: Sequence[str]) -> list[Any]:
    """Return the values in order, as numbers where all are whole ones."""
    if all(re.fullmatch(r"-?(0|[1-9]\d*)", value) for value in different):
        return sorted(int(value) for value in different)
    return sorted(different)


def _describe_variants(different: Sequence[str]) -> str:
    folded: dict[str, list[str]] = {}
    for value in sorted(different):
        folded.setdefault(" ".join(value.casefold().split()), []).append(value)
    alike = [" and ".join(map(repr, values)) for values in folded.values() if len(values) > 1]
    return f"the same but for case or blanks? {'; '.join(alike)}" if alike else ""
