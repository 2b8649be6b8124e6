"""Guesses what each column of a table is, and says why."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from commands.drafting.marks import USUAL, Marks, find_marks
from commands.drafting.values import LEADING_ZERO, Values, format_share
from commands.drafting.words import (
    LONG,
    are_of_one_length,
    describe_variants,
    is_prose,
    read_values,
)
from serve.runtime.spelling import FALSE, TRUE
from stages.preparing.casting import to_dates
from stages.shared.heuristics import is_named_as_identifier, is_surely_an_identifier
from stages.shared.schema import RESERVED, SLICE
from stages.validating.spellings import AMOUNTS, DAY_FIRST, suggest_form

FEW = 50  # different words that make a category
SPARE = 5  # rows for each of them
RARE = 0.002  # share of the rows below which a value of a category is pointed at
LISTED = 5  # such values
CODES = 12  # different whole numbers that may be codes
TINY = 1e-300  # below it a float loses its digits
SLACK = 0.5  # of the span, on each side of what was seen
DAY = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")


@dataclass(frozen=True)
class Guess:
    """A column as the contract will have it, or ``left_out`` with the reason."""

    name: str
    type: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    comment: str = ""
    left_out: str = ""
    marks: tuple[str, ...] = ()  # that stand for missing in this column alone
    kept: tuple[str, ...] = ()  # usual marks for missing that are values here


def guess_column(name: str, cells: pd.Series, decimal: str) -> Guess:
    """Return what a column of raw cells is, of which the blank ones are missing.

    Missing cells are allowed where there are any; a range has room beyond what was seen.
    """
    if is_nested(cells):
        example = str(cells.dropna().iloc[0])[:40]
        reason = f"it holds lists or records ({example}): make columns of them"
        return Guess(name, left_out=reason)
    values = Values.count(cells, decimal)
    marks = find_marks(values)
    present = drop_missing(values, marks)
    found = _leave_out(name, present, len(cells)) or _guess_type(name, present)
    if marks.kept and found.type != "category":  # in a text it says that there is none
        marks = replace(marks, kept=())
        present = drop_missing(values, marks)
    return _note_missing(replace(found, marks=marks.marks, kept=marks.kept), present, marks)


def drop_missing(values: Values, marks: Marks) -> Values:
    """Return the values that a column has once its missing cells are taken away."""
    usual = [word for word in USUAL if word not in marks.kept]
    return values.drop([*usual, *marks.marks])


def _note_missing(found: Guess, present: Values, marks: Marks) -> Guess:
    """Say what share of the rows lacks the column, and which cells do not fit."""
    rows = len(present.cells)
    options, words = found.options, [found.comment, marks.comment]
    if not found.left_out and present.total < rows:
        options = {**options, "missing": "allowed"}
        words.append(f"{format_share(1 - present.total / rows)} of the rows lack it")
    if marks.kept:
        words.append(f"{', '.join(marks.kept)} is a value here, not a missing one")
    return replace(found, options=options, comment="; ".join(filter(None, words)))


def _leave_out(name: str, present: Values, rows: int) -> Guess | None:
    reason, different = None, len(present.words)
    if not name or name in RESERVED or name.startswith(SLICE):
        reason = "it has no name of its own"
    elif different == 0:
        reason = "it holds nothing"
    elif different == 1 and present.total == rows:
        reason = f"every value present is {present.words[0][:40]}"
    elif different == present.total > SPARE and is_identifier(name, present):
        reason = "an identifier: each value occurs once"
    return Guess(name, left_out=reason) if reason else None


def is_nested(cells: pd.Series) -> bool:
    """Say whether cells hold several values each, as Parquet's lists and structs do."""
    return cells.dtype == object and bool(cells.map(pd.api.types.is_list_like).any())


def is_identifier(name: str, present: Values) -> bool:
    """Say whether a column of different values is named as an identifier, counts rows, or codes."""
    numbers = present.numbers
    if not np.isnan(numbers).any():
        steps = np.diff(numbers)  # in the order of the rows: each value occurs once
        whole, counts = bool((numbers % 1 == 0).all()), bool((steps == 1).all())
        in_order = bool((steps > 0).all() or (steps < 0).all())
        named = is_surely_an_identifier(name) or (is_named_as_identifier(name) and in_order)
        return whole and (named or counts)
    if _are_dates(present.words) or present.words.str.fullmatch(DAY_FIRST).all():
        return False
    return is_named_as_identifier(name) or are_of_one_length(present)


def _guess_type(name: str, present: Values) -> Guess:
    cells, words = present.cells, present.words
    if pd.api.types.is_bool_dtype(cells):
        return Guess(name, "boolean")
    if pd.api.types.is_datetime64_any_dtype(cells):
        return Guess(name, "datetime")
    if len(words) == 1:
        return _guess_flag(name, words[0])
    if words.str.lower().isin([*TRUE[:4], *FALSE[:4]]).all():
        return Guess(name, "boolean")
    if _are_days(words) or (np.isnan(present.numbers).any() and _are_dates(words)):
        return Guess(name, "datetime")
    if not np.isnan(present.numbers).any() and not _are_codes(words):
        return _guess_number(name, present.numbers)
    return _guess_words(name, present)


def _guess_flag(name: str, word: str) -> Guess:
    """A cell that is filled, or not: that it is missing tells as much as its value."""
    options = {"values": read_values([word]), "max_missing_share": 1}
    return Guess(name, "category", options, f"a flag: {word[:40]}, or blank")


def _are_days(words: pd.Series) -> bool:
    """Say whether all words are dates without marks between year, month and day."""
    return bool(len(words) > 1 and words.str.fullmatch(DAY).all() and to_dates(words).notna().all())


def _are_dates(words: pd.Series) -> bool:
    head = words.head(100)
    return bool(to_dates(head).notna().all() and to_dates(words).notna().all())


def _are_codes(words: pd.Series) -> bool:
    """Say whether whole numbers have zeros before them, as no amount has."""
    led = words.str.fullmatch(LEADING_ZERO).to_numpy(bool)
    return bool(led.any() and words.str.fullmatch(r"\d+").all())


def _guess_number(name: str, numbers: Any) -> Guess:
    whole = bool(
        (np.isfinite(numbers) & (np.where(np.isfinite(numbers), numbers, 0) % 1 == 0)).all()
    )
    different = np.unique(numbers)
    if whole and len(different) == 2:
        return Guess(name, "category", {"values": [int(value) for value in different]})
    comment = ""
    if whole and len(different) <= CODES:
        values = [int(value) for value in different]
        comment = f"if these are codes: {{type: category, values: {values}}}"
    finite = different[np.isfinite(different)]
    if not len(finite):
        return Guess(name, left_out="every number in it is infinite")
    kind = "integer" if whole else "number"
    bounds = widen_range(float(finite[0]), float(finite[-1]), whole)
    return Guess(name, kind, {"unit": "", "range": bounds}, comment)


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


def _guess_words(name: str, present: Values) -> Guess:
    words, numbers = present.words, present.numbers
    different = words.tolist()
    amount = suggest_form(different, AMOUNTS)
    if words.str.fullmatch(DAY_FIRST).all() or (amount and len(different) > CODES):
        words_of = amount or repr(different[0][:40])
        return Guess(name, left_out=f"neither numbers nor ISO 8601 dates: {words_of}")
    if len(different) <= FEW and len(different) * SPARE <= present.total:
        values = read_values(different) if not _are_codes(words) else sorted(different)
        comment = "; ".join(filter(None, [describe_variants(different), _describe_rare(present)]))
        return Guess(name, "category", {"values": values}, comment)
    if _are_codes(words):
        reason = f"codes with zeros before them, as in {_find_first(words, LEADING_ZERO)!r}"
        return Guess(name, left_out=f"{reason}: {len(different):,} are too many for a category")
    if present.share(~np.isnan(numbers)) > 0.8:
        strange = words[np.isnan(numbers)].iloc[0]
        reason = f"numbers, but for {strange[:40]!r}: mend these, or list what is missing"
        return Guess(name, left_out=reason)
    if is_prose(present):
        most = int(widen_range(0, float(words.str.len().max()), whole=True)[1])
        return Guess(name, "text", {"length": [1, most], "normalise": "NFC"})
    if words.str.contains(r"\d").all() and words.str.len().max() <= LONG:
        example = words.iloc[0][:40]
        return Guess(name, left_out=f"neither numbers nor ISO 8601 dates: {example!r}")
    return Guess(name, left_out=f"{len(different):,} different values: too many for a category")


def _describe_rare(present: Values) -> str:
    """Name values of a large table that hardly occur: they may belong to another column."""
    rare = present.words[present.counts < RARE * present.total].tolist()
    if not rare or len(rare) > LISTED:
        return ""
    rows = ", ".join(map(str, present.find_rows(rare)))
    return f"hardly ever: {', '.join(map(repr, rare))} (row {rows})"


def _find_first(words: pd.Series, form: re.Pattern[str]) -> str:
    return str(words[words.str.fullmatch(form)].iloc[0])
