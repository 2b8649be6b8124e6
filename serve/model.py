"""One task's model: from rows to answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import onnxruntime

from serve.body import Row
from serve.encode import Encoder, Vector
from serve.manifest import Manifest
from serve.text import Array, Layout
from serve.wire import Answer, ClassAnswer, Finding, RequestError, ValueAnswer


@dataclass(frozen=True)
class Model:
    """A task's manifest and its running graph, as ``serve.load`` has verified them."""

    manifest: Manifest
    encoder: Encoder
    layout: Layout
    session: onnxruntime.InferenceSession

    def predict(self, rows: Sequence[Row]) -> list[Answer]:
        """Return an answer for each row.

        Raises RequestError (422) with every value that does not fit the columns.
        """
        vectors, warnings = self.encoder.encode(rows)
        # One row at a time: in a batch some kernels add in another order, and the last bits of
        # an answer would depend on the row's neighbours.
        outputs = [self.run(vector) for vector in vectors]
        refuse_infinite(rows, outputs)
        return [self._answer(*pair) for pair in zip(outputs, warnings, strict=True)]

    def run(self, vector: Vector) -> list[float]:
        """Return the probabilities, or the one value, for an encoded row."""
        graph = self.manifest.onnx
        row = self.layout.row(vector)
        output: Array = self.session.run([graph.output], {graph.input: row})[0]
        return output.ravel().tolist()

    def _answer(self, output: list[float], warnings: list[Finding]) -> Answer:
        target = self.manifest.target
        if target.labels:
            probabilities = dict(zip(target.labels, output, strict=True))
            label = self._label(probabilities)
            return ClassAnswer(label=label, probabilities=probabilities, warnings=warnings)
        value, spread = output[0], target.interval
        interval = (value - spread.half_width, value + spread.half_width) if spread else None
        return ValueAnswer(value=value, interval=interval, unit=target.unit, warnings=warnings)

    def _label(self, probabilities: dict[str, float]) -> str:
        target = self.manifest.target
        if target.threshold is None or target.positive is None:
            return max(probabilities, key=probabilities.__getitem__)
        negative = next(label for label in target.labels if label != target.positive)
        return target.positive if probabilities[target.positive] >= target.threshold else negative


def refuse_infinite(rows: Sequence[Row], outputs: Sequence[list[float]]) -> None:
    """Raise RequestError (422) if numbers too large for the model left rows without an answer."""
    failed = [row for row, output in zip(rows, outputs, strict=True) if not _finite(output)]
    message = "the model has no finite answer for this row: its numbers are too large"
    if failed:
        errors = [Finding(loc=at, msg=message, type="no_answer", input=None) for at, _ in failed]
        raise RequestError(422, errors)


def _finite(numbers: list[float]) -> bool:
    return all(map(math.isfinite, numbers))
