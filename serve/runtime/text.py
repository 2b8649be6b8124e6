"""Turns clean texts into TF-IDF without scikit-learn.

A vectoriser gives the very numbers that scikit-learn's ``TfidfVectorizer`` gives on this machine:
the same n-grams, and the same operations on float64 in the same order. (Between processors the last
bit may differ: some have a logarithm of their own, or multiply and add in one step.)
"""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from serve.runtime.manifest import Column, Part

Array = np.ndarray[Any, np.dtype[np.float64]]
MAX_MARKS = 100  # in a row: Unicode's stream-safe texts have 30, and putting n in order takes n²
WORDS_KEPT = 10_000  # words whose n-grams need not be looked up again ...
LONGEST_KEPT = 32  # ... of so many characters, so that they stay below some 20 MB


def find_flaw(text: str) -> str | None:
    """Return what keeps a text from being read, or None: ``half a surrogate pair``."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"half a surrogate pair, {error.object[error.start]!a}"
    if len(text) > MAX_MARKS and _longest_run(map(unicodedata.combining, text)) > MAX_MARKS:
        return f"more than {MAX_MARKS} combining marks in a row"
    return None


def _longest_run(classes: Iterable[int]) -> int:
    runs = itertools.groupby(classes, bool)
    return max((len(list(marks)) for is_mark, marks in runs if is_mark), default=0)


class Block(Part):
    """One kind of n-gram: the ``terms`` in the order of their features, and their weights."""

    kind: Literal["words", "characters"]
    pattern: str | None
    sizes: tuple[int, int]
    terms: tuple[str, ...]
    weights: tuple[float, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.terms) != len(self.weights) or not 1 <= self.sizes[0] <= self.sizes[1]:
            raise ValueError("each term has a weight, and sizes are [shortest, longest]")
        if (self.kind == "words") != (self.pattern is not None):
            raise ValueError("words, and nothing else, are found by a pattern")
        return self


class Content(Part):
    """A vectoriser's file."""

    lowercase: Literal[True]
    sublinear: bool
    norm: Literal["l2"]
    blocks: tuple[Block, ...] = Field(min_length=1)


class Vectoriser:
    """Turns a text into numbers, ``width`` of them.

    Raises pydantic.ValidationError for content that is no vectoriser.
    """

    def __init__(self, content: bytes) -> None:
        made = Content.model_validate_json(content)
        self.sublinear = made.sublinear
        self.blocks = tuple(_Ready.of(block) for block in made.blocks)
        self.width = sum(len(block.weights) for block in self.blocks)

    def fill(self, text: str, row: Array) -> None:
        """Write the features of a clean text into ``row``, as many zeros (float64) as features."""
        lowered, start = text.lower(), 0
        for block in self.blocks:
            numbers, values = self._features(block, lowered)
            row[numbers + start] = values
            start += len(block.weights)

    def _features(self, block: "_Ready", text: str) -> tuple[Any, Array]:
        """Return the places (ascending) and values of a block's features that are not 0."""
        counts = Counter(block.numbers(text))
        numbers = np.fromiter(counts.keys(), np.intp, len(counts))
        values = np.fromiter(counts.values(), np.float64, len(counts))
        order = numbers.argsort()
        numbers, values = numbers[order], values[order]
        if self.sublinear:
            values = np.log(values) + 1.0
        values *= block.weights[numbers]
        # A running sum adds one square after another, as scikit-learn does; np.sum does not.
        squares = (values * values).cumsum()
        return numbers, values / np.sqrt(squares[-1:])


class Layout:
    """Where a row's values go in the graph's input: the numbers in their order, then each text.

    ``vectorisers`` has one for each text column.
    """

    def __init__(self, columns: Sequence[Column], vectorisers: Mapping[str, Vectoriser]) -> None:
        self.plain = [i for i, column in enumerate(columns) if column.type != "text"]
        self.texts: list[tuple[int, slice, Vectoriser]] = []
        self.width = len(self.plain)
        for i, column in enumerate(columns):
            if column.type == "text":
                vectoriser = vectorisers[column.name]
                end = self.width + vectoriser.width
                self.texts.append((i, slice(self.width, end), vectoriser))
                self.width = end

    def write(self, vector: Sequence[float | str], row: Array) -> None:
        """Write a value of each column into the graph's input (width), whatever it held before."""
        row[:] = 0.0
        row[: len(self.plain)] = [vector[i] for i in self.plain]
        for i, place, vectoriser in self.texts:
            vectoriser.fill(str(vector[i]), row[place])


class _Ready(NamedTuple):
    """A block made ready: how a text's n-grams are found, and what each weighs."""

    numbers: Callable[[str], Iterable[int]]
    weights: Array

    @classmethod
    def of(cls, block: Block) -> Self:
        index = {term: number for number, term in enumerate(block.terms)}
        sizes = range(block.sizes[0], block.sizes[1] + 1)
        numbers = (
            _Words(index, sizes, re.compile(block.pattern))
            if block.pattern
            else _Characters(index, sizes)
        )
        return cls(numbers, np.array(block.weights))


class _Words:
    """Words as the pattern finds them, and runs of them."""

    def __init__(self, index: Mapping[str, int], sizes: range, pattern: re.Pattern[str]) -> None:
        self.index, self.sizes, self.find = index, sizes, pattern.findall

    def __call__(self, text: str) -> Iterable[int]:
        words = self.find(text)
        runs = (zip(*(words[i:] for i in range(size)), strict=False) for size in self.sizes)
        return _known(self.index, map(" ".join, itertools.chain.from_iterable(runs)))


class _Characters:
    """Runs of characters within a word, which has a blank before and after it."""

    def __init__(self, index: Mapping[str, int], sizes: range) -> None:
        self.index, self.sizes = index, sizes
        self._kept = lru_cache(WORDS_KEPT)(self._of_word)

    def __call__(self, text: str) -> Iterable[int]:
        return itertools.chain.from_iterable(map(self._look_up, text.split()))

    def _look_up(self, word: str) -> list[int]:
        return self._kept(word) if len(word) <= LONGEST_KEPT else self._of_word(word)

    def _of_word(self, word: str) -> list[int]:
        return _known(self.index, _runs(f" {word} ", self.sizes))


def _runs(word: str, sizes: range) -> list[str]:
    """Return the word's runs of each size; a word too short for a size once, as a whole."""
    found: list[str] = []
    for size in sizes:
        if size >= len(word):
            return [*found, word]
        found += [word[start : start + size] for start in range(len(word) - size + 1)]
    return found


def _known(index: Mapping[str, int], grams: Iterable[str]) -> list[int]:
    return [number for number in map(index.get, grams) if number is not None]
