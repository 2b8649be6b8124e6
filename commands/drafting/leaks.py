"""Finds columns that tell the target, alone or by a formula, and says so in the draft."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from commands.drafting.guess import Guess
from commands.drafting.marks import USUAL
from commands.drafting.target_inference import InferredTarget
from commands.drafting.values import Array, format_share
from stages.preparing.casting import as_tokens, to_numbers
from stages.shared.formulas import find_formula
from stages.shared.heuristics import measure_predictability

SURE = 0.99  # share of the target from which a column is left out as a leak
LIKELY = 0.95  # share from which a comment asks
GAPS = 0.2  # share of a column's values that may be missing where formulas are looked for
NUMERIC = ("number", "integer")


def read_target(cells: pd.Series, inferred: InferredTarget, decimal: str) -> Array:
    """Return a class, or a number, for each row; missing where a mark stands for it."""
    tokens = as_tokens(cells)
    missing = tokens.isin({*USUAL, *inferred.marks} - {*inferred.kept})
    y = tokens.astype(object) if "classes" in inferred.target else to_numbers(cells, decimal)
    return np.asarray(y.mask(missing).to_numpy())


def leave_out_leak(guess: Guess, cells: pd.Series, y: Array, decimal: str) -> Guess:
    """Return the guess, left out or commented on where the column alone tells the target."""
    if guess.left_out or guess.type == "text":
        return guess
    numbers = _to_comparable_numbers(_blank_marks(guess, cells), decimal)
    share = measure_predictability(numbers, y, is_classification=y.dtype.kind != "f")
    if share < LIKELY:
        return guess
    reason = f"a leak? It alone tells {format_share(share)} of the target"
    if share >= SURE:
        return Guess(guess.name, left_out=f"{reason}. Put it back if it is known in time")
    comment = f"{reason}. Take it out unless it is known in time"
    return replace(guess, comment="; ".join(filter(None, [comment, guess.comment])))


def note_formula(
    inferred: InferredTarget,
    guesses: Sequence[Guess],
    frame: pd.DataFrame,
    y: Array,
    get_decimal: Callable[[str], str],
) -> InferredTarget:
    """Return the target with a comment where it follows from columns by a formula.

    Which of the columns is known too late, only a person can say: `validate` stops until one is
    left out.
    """
    columns = {
        guess.name: to_numbers(_blank_marks(guess, frame[guess.name]), get_decimal(guess.name))
        for guess in guesses
        if not guess.left_out and guess.type in NUMERIC
    }
    columns = {name: numbers for name, numbers in columns.items() if numbers.isna().mean() < GAPS}
    if not columns:
        return inferred
    numbers = np.column_stack(list(columns.values())).astype(float)
    found = find_formula(list(columns), numbers, y, is_classification=y.dtype.kind != "f")
    if not found:
        return inferred
    words = (
        f"a leak? It is {found.text}, {found.exactness}: move {' or '.join(found.columns)} to "
        f"`ignored`; {inferred.comments.get('target', '')}"
    )
    return replace(inferred, comments={**inferred.comments, "target": words})


def _blank_marks(guess: Guess, cells: pd.Series) -> pd.Series:
    """Return the cells, missing where a mark of their column stands."""
    marks = {*USUAL, *guess.marks} - {*guess.kept}
    return cells.mask(as_tokens(cells).isin(marks)) if marks else cells


def _to_comparable_numbers(cells: pd.Series, decimal: str) -> Any:
    """Return numbers as they are, and words as the order of their first appearance."""
    numbers = to_numbers(cells, decimal)
    if numbers.notna().sum() == cells.notna().sum():
        return numbers.to_numpy()
    return pd.Series(pd.factorize(as_tokens(cells))[0]).replace(-1, float("nan")).to_numpy()
