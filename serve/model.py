"""One task's model: from rows to answers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serve.body import Row
from serve.encode import MAX_FINDINGS, Encoder, RowError, Vector
from serve.engine import Engine
from serve.manifest import Manifest
from serve.wire import Answer, ClassAnswer, Finding, Place, RequestError, ValueAnswer


@dataclass(frozen=True)
class Model:
    """A task's manifest, its encoder and its engine, as ``serve.load`` has verified them.

    Immutable, and safe to use from several threads. Every door answers through these methods, and
    each row is run alone, so that a row's answer is the same to the last bit through all of them.
    """

    manifest: Manifest
    encoder: Encoder
    engine: Engine

    def predict(self, rows: Sequence[Row]) -> list[Answer]:
        """Return an answer for each row; a row comes with its place, ``(["body", 3], {...})``.

        Raises RequestError (422) with every value of every row that does not fit, up to
        MAX_FINDINGS; then no row has been run.
        """
        encoded = [(place, *pair) for (place, _), pair in zip(rows, self._encoded(rows))]
        answers: list[Answer] = []
        failed: list[Finding] = []
        for place, vector, warnings in encoded:
            try:
                answers.append(self._answer(place, vector, warnings))
            except RowError as error:
                failed.extend(error.findings)
        if failed:
            raise RequestError(422, shortened(failed))
        return answers

    def predict_one(self, row: Mapping[str, object]) -> Answer:
        """Return the answer for one row; raises RequestError (422) like `predict`."""
        return self.predict([(["body"], row)])[0]

    def predict_each(self, rows: Sequence[Row]) -> list[Answer | list[Finding]]:
        """Return an answer for each row, or in its place all that does not fit; never raises.

        For files and batches, where a bad row must not cost the good ones their answers.
        """
        return [self._answer_or_findings(place, row) for place, row in rows]

    def _answer_or_findings(self, place: Place, row: object) -> Answer | list[Finding]:
        try:
            return self._answer(place, *self.encoder.encode(place, row))
        except RowError as error:
            return error.findings

    def _encoded(self, rows: Sequence[Row]) -> list[tuple[Vector, list[Finding]]]:
        encoded, errors = [], []
        for place, row in rows:
            try:
                encoded.append(self.encoder.encode(place, row))
            except RowError as error:
                errors.extend(error.findings)
                if len(errors) > MAX_FINDINGS:
                    break
        if errors:
            raise RequestError(422, shortened(errors))
        return encoded

    def _answer(self, place: Place, vector: Vector, warnings: list[Finding]) -> Answer:
        """Run one row; raises RowError if its numbers are too large for the model."""
        output = self.engine.run(vector)
        if not all(map(math.isfinite, output)):
            raise RowError([_no_answer(place)])
        return self.answer(output, warnings)

    def answer(self, output: Sequence[float], warnings: list[Finding]) -> Answer:
        """Return what a client is told of the engine's output for one row."""
        target = self.manifest.target
        if target.labels:
            return ClassAnswer(
                label=target.labels[self.decide(output)],
                probabilities=dict(zip(target.labels, output, strict=True)),
                warnings=warnings,
            )
        value, spread = output[0], target.interval
        interval = (value - spread.half_width, value + spread.half_width) if spread else None
        return ValueAnswer(value=value, interval=interval, unit=target.unit, warnings=warnings)

    def decide(self, probabilities: Sequence[float]) -> int:
        """Return the index of the label answered: by the threshold, or the most probable one."""
        target = self.manifest.target
        if target.threshold is None or target.positive is None:
            return max(range(len(probabilities)), key=probabilities.__getitem__)
        positive = target.labels.index(target.positive)
        return positive if probabilities[positive] >= target.threshold else 1 - positive


def shortened(errors: list[Finding]) -> list[Finding]:
    """Return at most MAX_FINDINGS of them; one more says that there are more."""
    if len(errors) <= MAX_FINDINGS:
        return errors
    message = f"these are the first {MAX_FINDINGS:,} errors: there are more"
    more = Finding(loc=["body"], msg=message, type="more_errors", input=None)
    return [*errors[:MAX_FINDINGS], more]


def _no_answer(place: Place) -> Finding:
    message = "the model has no finite answer for this row: its numbers are too large"
    return Finding(loc=place, msg=message, type="no_answer", input=None)
