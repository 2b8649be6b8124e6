"""Finds columns that tell the target, alone or by a formula, and says so in the draft."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from commands.drafting.guess import Guess
from commands.drafting.target_inference import InferredTarget
from stages.preparing.casting import as_tokens, to_numbers
from stages.shared.formulas import find_formula
from stages.shared.heuristics import measure_predictability

SURE = 0.99  # share of the target from which a column is left out as a leak
LIKELY = 0.95  # share from which a comment asks
GAPS = 0.2  # share of a column's values that may be missing where formulas are looked for
NUMERIC = ("number", "integer")


def leave_out_leak(
    guess: Guess, frame: pd.DataFrame, target: str, is_classification: bool, decimal: str
) -> Guess:
    """Return the guess, left out or commented on where the column alone tells the target."""
    if guess.left_out or guess.type == "text":
        return guess
    y = as_tokens(frame[target]) if is_classification else to_numbers(frame[target], decimal)
    cells = _to_comparable_numbers(frame[guess.name], decimal)
    share = measure_predictability(cells, y.to_numpy(), is_classification=is_classification)
    if share < LIKELY:
        return guess
    reason = f"a leak? It alone tells {share:.1%} of the target"
    if share >= SURE:
        return Guess(guess.name, left_out=f"{reason}. Put it back if it is known in time")
    comment = f"{reason}. Take it out unless it is known in time"
    return replace(guess, comment="; ".join(filter(None, [comment, guess.comment])))


def note_formula(
    inferred: InferredTarget,
    guesses: Sequence[Guess],
    frame: pd.DataFrame,
    target: str,
    decimal: str,
) -> InferredTarget:
    """Return the target with a comment where it follows from columns by a formula.

    Which of the columns is known too late, only a person can say: `validate` stops until one is
    left out.
    """
    names = [
        guess.name
        for guess in guesses
        if not guess.left_out and guess.type in NUMERIC and frame[guess.name].isna().mean() < GAPS
    ]
    if not names:
        return inferred
    numbers = np.column_stack([to_numbers(frame[name], decimal) for name in names]).astype(float)
    is_classification = "classes" in inferred.target
    cells = (
        as_tokens(frame[target]).astype(object)
        if is_classification
        else to_numbers(frame[target], decimal)
    )
    found = find_formula(names, numbers, cells.to_numpy(), is_classification=is_classification)
    if not found:
        return inferred
    words = (
        f"a leak? It is {found.text}, {found.exactness}: move {' or '.join(found.columns)} to "
        f"`ignored`; {inferred.comments.get('target', '')}"
    )
    return replace(inferred, comments={**inferred.comments, "target": words})


def _to_comparable_numbers(cells: pd.Series, decimal: str) -> Any:
    """Return numbers as they are, and words as the order of their first appearance."""
    numbers = to_numbers(cells, decimal)
    if numbers.notna().sum() == cells.notna().sum():
        return numbers.to_numpy()
    return pd.Series(pd.factorize(as_tokens(cells))[0]).replace(-1, float("nan")).to_numpy()
