"""Tells texts from codes and categories, in any language."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from commands.drafting.values import Values

LONG = 30  # characters from which words are a text
# Scripts that set no blanks between words: Thai to Tibetan, Myanmar, Khmer, kana, Han.
UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
SENTENCE = 6  # letters of such a script: names have fewer
LETTERS = 0.6  # share of letters in a text


def is_prose(values: Values) -> bool:
    """Say whether most cells are several words or long, or letters of a script without blanks."""
    words = values.words
    blanks, length = words.str.count(r"\s+"), words.str.len()
    letters = words.str.count(r"[^\W\d_]")
    unspaced = words.str.count(UNSPACED.pattern) >= SENTENCE
    rules = (
        blanks >= 2,
        (blanks >= 1) & (length >= LONG),
        unspaced,
        (length >= LONG) & (letters >= LETTERS * length) & (words.str.count(r"[\W_]") >= 2),
    )
    return any(values.share(rule) > 0.5 for rule in rules)


def read_values(different: Sequence[str]) -> list[Any]:
    """Return the values in order, as numbers where all are whole ones."""
    if all(re.fullmatch(r"-?(0|[1-9]\d*)", value) for value in different):
        return sorted(int(value) for value in different)
    return sorted(different)


def describe_variants(different: Sequence[str]) -> str:
    """Return a hint at words that differ in case or blanks alone."""
    folded: dict[str, list[str]] = {}
    for value in sorted(different):
        folded.setdefault(" ".join(value.casefold().split()), []).append(value)
    alike = [" and ".join(map(repr, values)) for values in folded.values() if len(values) > 1]
    return f"the same but for case or blanks? {'; '.join(alike)}" if alike else ""


def are_of_one_length(values: Values) -> bool:
    """Say whether all words are equally long, and single ones."""
    return bool(
        np.unique(values.words.str.len()).size == 1 and not values.words.str.contains(" ").any()
    )
