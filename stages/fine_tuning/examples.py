"""Tokenised rows, and the batches in which an epoch goes through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from stages.shared.tokens import batch_by_length

Array = np.ndarray[Any, np.dtype[Any]]
POOL = 16  # batches that are sorted by length together: more wastes less padding, but mixes less


@dataclass(frozen=True)
class Examples:
    """Rows as token numbers, with class index (int64) and weight (float32).

    ``more`` holds the further pieces of each row's text, where texts are read in several.
    """

    ids: Sequence[Sequence[int]]
    y: Array
    weights: Array
    more: Sequence[Sequence[Sequence[int]]] | None = None

    @classmethod
    def of_pieces(cls, texts: Sequence[Sequence[Sequence[int]]], y: Array, weights: Array) -> Self:
        """Return rows of texts in pieces."""
        more = [pieces[1:] for pieces in texts]
        return cls([pieces[0] for pieces in texts], y, weights, more if any(more) else None)

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def lengths(self) -> Array:
        """The number of tokens of each row (int64)."""
        return np.array([len(row) for row in self.ids], np.int64)

    def take(self, rows: Array) -> "Examples":
        """Return the rows with these numbers, in their order."""
        more = [self.more[row] for row in rows] if self.more else None
        return Examples([self.ids[row] for row in rows], self.y[rows], self.weights[rows], more)

    @property
    def pieces(self) -> list[list[Sequence[int]]]:
        """The pieces of each row's text."""
        if not self.more:
            return [[ids] for ids in self.ids]
        return [[ids, *more] for ids, more in zip(self.ids, self.more, strict=True)]

    def split_pieces(self) -> "Examples":
        """Return a row for each piece; those of a text share its weight."""
        if not self.more:
            return self
        counts = np.array([len(pieces) for pieces in self.pieces])
        rows = np.repeat(np.arange(len(self)), counts)
        weights = (self.weights / counts).astype(np.float32)
        return Examples(
            [ids for pieces in self.pieces for ids in pieces], self.y[rows], weights[rows]
        )


def epoch_batches(lengths: Array, budget: int, seed: int, epoch: int) -> list[Array]:
    """Return the rows of each batch of an epoch: shuffled, yet similar in length within a batch.

    The shuffled rows are cut into pools, each pool is sorted by length and cut into batches of at
    most ``budget`` tokens, and the batches are shuffled again.
    """
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(len(lengths))
    pools = np.array_split(order, max(1, round(float(lengths.sum()) / (budget * POOL))))
    batches = [pool[rows] for pool in pools for rows in batch_by_length(lengths[pool], budget)]
    return [batches[i] for i in generator.permutation(len(batches))]
