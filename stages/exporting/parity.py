"""Holds an exported model against the trained pipeline, row by row, hard cases included."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stages.exporting.graph import graph_input
from stages.shared.errors import PipelineError
from stages.shared.features import UNSEEN, Featurizer
from stages.shared.predicting import predict
from stages.shared.schema import Field, Schema

Array = np.ndarray[Any, np.dtype[Any]]
BATCH = 8192  # rows in memory at once
CELLS = 8_000_000  # numbers that a graph is given at once: 64 MB
MOST_ALTERED = 100_000  # altered rows; where there would be more, every n-th row is altered


@dataclass(frozen=True)
class Alteration:
    """Rows (positions) to compare, as they are or with one column set to one value."""

    text: str
    rows: Array
    column: int | None = None
    value: float | str = np.nan

    def apply(self, X: Array, rows: Array) -> Array:
        """Return a copy of these rows of the encoded matrix, altered."""
        batch = X[rows]
        if self.column is not None:
            batch[:, self.column] = self.value
        return batch


@dataclass(frozen=True)
class Difference:
    """The largest difference found in a batch: by how much, in which row, between what."""

    size: float
    row: int
    alteration: str
    trained: list[float]
    exported: list[float]


@dataclass(frozen=True)
class Parity:
    """How many rows were compared, and the row that differs most."""

    rows: int
    worst: Difference


class Predictor(Protocol):
    """What answers for rows of the encoded matrix as a server will."""

    def predict(self, X: Array) -> Array:
        """Return probabilities (rows by labels) or values (rows)."""


class Exported:
    """An ONNX model as it is served: one session, one thread, from bytes in memory.

    ``featurizer`` is the one it was fitted with. Raises PipelineError where ONNX Runtime lacks an
    operator of the model.
    """

    def __init__(self, model: bytes, featurizer: Featurizer) -> None:
        import onnxruntime

        self.featurizer = featurizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self.session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors have no base of their own
            raise PipelineError(
                f"ONNX Runtime cannot run the exported model ({error}): take its family out of "
                "`models` in conf/task"
            ) from error

    def predict(self, X: Array) -> Array:
        """Return probabilities (rows by labels) or values (rows) for the encoded matrix."""
        taken = self.session.get_inputs()[0]
        step = max(1, CELLS // taken.shape[1])
        parts = [
            self.session.run(None, {taken.name: graph_input(self.featurizer, X[i : i + step])})[0]
            for i in range(0, len(X), step)
        ]
        return np.concatenate(parts)


def compare(
    exported: Predictor, champion: Any, schema: Schema, X: Array, cases: Iterable[Alteration]
) -> Parity:
    """Compare rows of the encoded matrix ``X``, altered as ``cases`` say.

    A difference is absolute between probabilities, and relative to the larger of 1 and the value in
    regression. No answer (NaN) on one side alone is infinitely far from any.
    """
    rows, worst = 0, []
    for alteration in cases:
        for start in range(0, len(alteration.rows), BATCH):
            chosen = alteration.rows[start : start + BATCH]
            batch = alteration.apply(X, chosen)
            answers = predict(champion, batch, schema), exported.predict(batch)
            worst.append(_find_largest(chosen, alteration.text, *answers))
            rows += len(chosen)
    return Parity(rows, max(worst, key=lambda difference: difference.size))


def list_alterations(X: Array, fields: Sequence[Field]) -> Iterator[Alteration]:
    """Yield every row as it is, then with each column missing, and each category unseen."""
    yield Alteration("", np.arange(len(X)))
    cases: list[tuple[int, str, str, float | str]] = [
        (i, field.name, "missing", "" if field.type == "text" else np.nan)
        for i, field in enumerate(fields)
    ]
    cases += [
        (i, field.name, "unseen", UNSEEN)
        for i, field in enumerate(fields)
        if field.type == "category"
    ]
    step = max(1, -(-len(X) * len(cases) // MOST_ALTERED))
    for number, (column, name, what, value) in enumerate(cases):
        rows = np.arange(number % step, len(X), step)
        yield Alteration(f" with {name} {what}", rows, column, value)


def _find_largest(rows: Array, text: str, trained: Array, exported: Array) -> Difference:
    """Return the difference of the row that differs most."""
    sizes = _measure_differences(trained, exported).reshape(len(rows), -1).max(axis=1)
    at = int(sizes.argmax())
    pair = (np.ravel(answer[at]).tolist() for answer in (trained, exported))
    return Difference(float(sizes[at]), int(rows[at]), text, *pair)


def _measure_differences(trained: Array, exported: Array) -> Array:
    if trained.shape != exported.shape:
        raise ValueError(f"{exported.shape} answers for {trained.shape}")
    scale = np.maximum(1, np.abs(trained)) if trained.ndim == 1 else 1.0
    found = np.abs(exported - trained) / scale
    return np.where(np.isnan(found), np.inf, found)
