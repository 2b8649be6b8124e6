"""Splits a model's score for one row into what each column added to it, exactly.

The file ``explain-<hash>.npz`` is arrays alone, read without pickle. For a linear model they are
its weights and the mean row; for trees the paths to their leaves, whose Shapley values (Lundberg et
al. 2020, "path-dependent") are an integral that a Gauss-Legendre sum gives without an error.
"""

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
STEP = ("feature", "low", "high", "share")
MAX_BYTES = 1 << 30  # of all arrays unpacked; thousands of trees take a tenth of it


class AttributionError(Exception):
    """A file of explanations that cannot be used, and why."""


class Attribution:
    """Explains a row's scores; what it needs is unpacked when it is first asked.

    Scores are numbers before the link: log odds for two classes, one number for each of several,
    the value itself, or its logarithm. Safe to use from several threads.
    """

    def __init__(self, content: bytes, parts: int) -> None:
        self.content = content
        self.parts = parts

    def explain(self, features: Array) -> tuple[Array, Array]:
        """Return the base of each score [scores], and what each part adds [scores, parts].

        ``features`` is the row as the estimator takes it, float64. Each score is its base, the
        score of a row of which nothing is known, plus all that the parts add.
        """
        return self.method.base, self.method.explain(features)

    @cached_property
    def arrays(self) -> Mapping[str, Array]:
        """All arrays; raises AttributionError where the content is no such file."""
        try:
            _check_size(self.content)
            with np.load(io.BytesIO(self.content), allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise AttributionError(f"the explanations cannot be read: {error}") from error

    @cached_property
    def graph(self) -> bytes:
        """The ONNX graph from an encoded row to the features."""
        return self.arrays["graph"].tobytes()

    @cached_property
    def method(self) -> "Linear | Trees":
        return (
            Linear(self.arrays, self.parts)
            if "weights" in self.arrays
            else Trees(self.arrays, self.parts)
        )


def _check_size(content: bytes) -> None:
    """Raise AttributionError for arrays that would fill the memory."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_BYTES:
        raise AttributionError(f"the explanations unpack to {size:,} bytes: {MAX_BYTES:,} at most")


class Linear:
    """A weighted sum: a feature adds its weight times how far it is from its mean."""

    def __init__(self, arrays: Mapping[str, Array], parts: int) -> None:
        self.base, self.weights, self.mean = (arrays[name] for name in ("base", "weights", "mean"))
        self.part, self.parts = arrays["part"], parts

    def explain(self, features: Array) -> Array:
        added = self.weights * (features - self.mean)
        return np.array([_sum_parts(self.part, row, self.parts) for row in added])


class Trees:
    """An ensemble of trees, as the paths to its leaves, grouped by length."""

    def __init__(self, arrays: Mapping[str, Array], parts: int) -> None:
        self.base, self.part, self.parts = arrays["base"], arrays["part"], parts
        self.paths = [_Paths(arrays, int(length)) for length in arrays["lengths"]]

    def explain(self, features: Array) -> Array:
        row = features.astype(np.float32)  # as the trees compare
        added = np.zeros((len(self.base), self.parts))
        for paths in self.paths:
            part, shares = self.part[paths.feature].ravel(), paths.explain(row)
            for score, values in enumerate(paths.value.T):
                added[score] += _sum_parts(part, (shares * values).ravel(), self.parts)
        return added


class _Paths:
    """The paths of one length: arrays of steps by leaves; `stages/exporting/paths.py` says more."""

    def __init__(self, arrays: Mapping[str, Array], length: int) -> None:
        self.feature, self.low, self.high, self.share = (
            arrays[f"{name}_{length}"] for name in STEP
        )
        self.value = arrays[f"value_{length}"]
        points, weights = np.polynomial.legendre.leggauss(math.ceil(length / 2))
        self.nodes = [*zip((points + 1) / 2, weights / 2, strict=True)]

    def explain(self, row: Array) -> Array:
        """Return the share of each leaf's value that each step on its way gets for this row.

        With o = 1 where the row takes a step, else 0, and s its share, step i gets its Shapley
        value (o_i - s_i) * sum over sets S of the others of |S|! (d-|S|-1)! / d! * o^S * s^(rest),
        which is (o_i - s_i) * integral over t from 0 to 1 of the product over the others of
        (t o + (1-t) s): a polynomial of degree d - 1, so ceil(d/2) points give it exactly.
        """
        seen = row[self.feature]
        taken = ((self.low < seen) & (seen <= self.high)).astype(np.float64)
        added = np.zeros(taken.shape)
        for t, weight in self.nodes:
            steps = t * taken + (1 - t) * self.share
            added += weight * steps.prod(axis=0) / steps
        return added * (taken - self.share)


def _sum_parts(part: Array, added: Array, parts: int) -> Array:
    summed: Array = np.bincount(part, added, parts)
    return summed


def apply_link(scores: Array, link: str, is_class: bool) -> list[float]:
    """Return what the scores say: the probability of each label, or the value alone.

    With two labels there is one score, the second label's.
    """
    found = _invert_link(scores, link).tolist()
    return [1 - found[0], *found] if is_class and len(found) == 1 else found


def _invert_link(scores: Array, link: str) -> Array:
    found = scores
    match link:
        case "logit":
            found = (1 + np.tanh(scores / 2)) / 2  # the logistic function, without an overflow
        case "softmax":
            powers = np.exp(scores - scores.max())
            found = powers / powers.sum()
        case "log":
            found = np.exp(scores)
    return found
