"""Which statistics a reference has: decided once, so that they are the same in all its halves."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stages.monitoring.columns import Array, Plain
from stages.monitoring.scores import Scale

Kind = Literal[
    "missing",
    "category",
    "new values",
    "outliers",
    "shape",
    "level",
    "spread",
    "level given the rest",
    "spread given the rest",
    "relation",
    "words",
    "new words",
    "joint level",
    "joint relations",
    "joint words",
]
MOST_VALUES = 60  # of a category that have a test of their own
MOST_WORDS = 300  # of a text
MOST_PAIRS = 400  # of columns whose relation has a test of its own
MOST_FACTORS = 120  # columns and values that relations and joint tests look at
FEWEST = 5  # rows with a word
COMMON, HELD = 0.02, 25  # share of the rows, and rows, that a value needs to be a factor


@dataclass(frozen=True)
class Factor:
    """What relations are between: a number's scores, or whether a category has a value.

    Without a ``value`` it is a number; ``missing`` is whether the cell is missing.
    """

    part: str
    value: str | None = None
    missing: bool = False

    @property
    def label(self) -> str:
        if self.missing:
            return f"{self.part} missing"
        return self.part if self.value is None else f"{self.part} = {self.value}"


@dataclass(frozen=True)
class Layout:
    """The parts that are watched, and by which values, words, factors and pairs of these."""

    numbers: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    words: dict[str, tuple[str, ...]]
    factors: tuple[Factor, ...]
    pairs: tuple[tuple[int, int], ...]

    @property
    def number_factors(self) -> list[int]:
        """The places of the factors that are numbers."""
        return [i for i, f in enumerate(self.factors) if f.value is None and not f.missing]


def lay_out(plain: Plain, alone: frozenset[str] = frozenset()) -> Layout:
    """Decide which statistics a reference has; ``alone``: parts that are in no relation."""
    categories = {name: _list_values(cells) for name, cells in plain.categories.items()}
    every = _list_factors(plain, categories)
    factors = tuple(factor for factor in every if factor.part not in alone)[:MOST_FACTORS]
    pairs = _choose_pairs(standardise(read_factors(plain, factors, fit_scales(plain))))
    words = {name: _list_words(texts) for name, texts in plain.texts.items()}
    return Layout(tuple(plain.numbers), categories, words, factors, pairs)


def fit_scales(plain: Plain) -> dict[str, Scale]:
    """Return the scale of each number."""
    return {name: Scale.fit(cells) for name, cells in plain.numbers.items()}


def read_factors(plain: Plain, factors: tuple[Factor, ...], scales: dict[str, Scale]) -> Array:
    """Return each row's factors (rows x factors)."""
    found = np.zeros((plain.rows, len(factors)))
    for place, factor in enumerate(factors):
        found[:, place] = _read_factor(plain, factor, scales)
    return found


def standardise(values: Array) -> Array:
    """Scale each column to mean 0 and variance 1; one that does not vary becomes 0."""
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, np.inf))


def _read_factor(plain: Plain, factor: Factor, scales: dict[str, Scale]) -> Array:
    if factor.value is not None:
        return np.asarray(plain.categories[factor.part] == factor.value, dtype=np.float64)
    cells = plain.numbers.get(factor.part)
    if cells is None:
        return np.asarray(plain.categories[factor.part] == None, dtype=np.float64)  # noqa: E711
    if factor.missing:
        return np.isnan(cells).astype(np.float64)
    return np.where(np.isnan(cells), 0.0, scales[factor.part].score(cells))


def _list_values(cells: Array) -> tuple[str, ...]:
    counts = Counter(cells[cells != None].tolist())  # noqa: E711 - element by element
    return tuple(sorted(counts, key=lambda value: (-counts[value], value))[:MOST_VALUES])


def _list_words(texts: list[frozenset[str]]) -> tuple[str, ...]:
    counts = Counter(word for words in texts for word in words)
    kept = [word for word, count in counts.items() if count >= FEWEST]
    return tuple(sorted(kept, key=lambda word: (-counts[word], word))[:MOST_WORDS])


def _list_factors(plain: Plain, categories: dict[str, tuple[str, ...]]) -> Iterator[Factor]:
    least = max(COMMON, HELD / max(plain.rows, 1))
    for name, cells in plain.numbers.items():
        if len(np.unique(cells[~np.isnan(cells)])) > 1:
            yield Factor(name)
        if least <= np.isnan(cells).mean() <= 1 - least:
            yield Factor(name, missing=True)
    for name, values in categories.items():
        cells = plain.categories[name]
        shares = {value: float((cells == value).mean()) for value in values}
        common = [value for value, share in shares.items() if least <= share <= 1 - least]
        is_complete = sum(shares[value] for value in common) > 1 - least
        yield from (Factor(name, value) for value in common[int(is_complete) :])


def _choose_pairs(factors: Array) -> tuple[tuple[int, int], ...]:
    """Return the pairs to look at: all of them, or those that go together most."""
    strength = np.abs(factors.T @ factors / max(len(factors), 1)).round(6)
    ones, others = np.triu_indices(factors.shape[1], 1)
    order = np.argsort(-strength[ones, others], kind="stable")[:MOST_PAIRS]
    return tuple(sorted((int(ones[i]), int(others[i])) for i in order))
