"""What a client is told of a model's output: as a typed answer, and as JSON written directly."""

import json
from collections.abc import Sequence

import msgspec

from serve.manifest import Manifest
from serve.wire import Answer, ClassAnswer, Finding, ValueAnswer


class Outcome(msgspec.Struct, gc=False):
    """One row's output, the index of the label that it decides for, and the warnings."""

    output: list[float]
    choice: int
    warnings: list[Finding]


class Answers:
    """Writes the answers of one model."""

    def __init__(self, manifest: Manifest) -> None:
        target = manifest.target
        self.target = target
        self.labels = target.labels or ("",)
        self.half_width = target.interval.half_width if target.interval else None
        self._threshold = target.threshold
        self._positive = target.labels.index(target.positive) if target.positive else 0
        self._head = _json_head(manifest)
        self._row = self._class_form() if target.labels else self._value_form()
        self._names = [json.dumps(label) for label in target.labels]

    def decide(self, output: Sequence[float]) -> int:
        """Return the index of the label answered: by the threshold, or the most probable one."""
        if self._threshold is not None:
            positive = self._positive
            return positive if output[positive] >= self._threshold else 1 - positive
        return output.index(max(output))

    def answer(self, outcome: Outcome) -> Answer:
        """Return the answer for one row."""
        output, warnings = outcome.output, outcome.warnings
        if self.target.labels:
            probabilities = dict(zip(self.labels, output, strict=True))
            label = self.labels[outcome.choice]
            return ClassAnswer(label=label, probabilities=probabilities, warnings=warnings)
        value, half = output[0], self.half_width
        interval = None if half is None else (value - half, value + half)
        return ValueAnswer(value=value, interval=interval, unit=self.target.unit, warnings=warnings)

    def to_json(self, outcomes: Sequence[Outcome], request_id: str) -> bytes:
        """Return the JSON of a `serve.wire.Prediction`, in ASCII: exactly that of the answers."""
        rows = ",".join(map(self._row_json, outcomes))
        return f'{self._head}{request_id}","predictions":[{rows}]}}'.encode("ascii")

    def _row_json(self, outcome: Outcome) -> str:
        notes = json.dumps(outcome.warnings) if outcome.warnings else "[]"
        if self._names:
            return self._row % (self._names[outcome.choice], *outcome.output, notes)
        value, half = outcome.output[0], self.half_width
        if half is None:
            return self._row % (value, notes)
        return self._row % (value, value - half, value + half, notes)

    def _class_form(self) -> str:
        shares = ",".join(f"{_literal(label)}:%r" for label in self.labels)
        return f'{{"label":%s,"probabilities":{{{shares}}},"warnings":%s}}'

    def _value_form(self) -> str:
        interval = "null" if self.half_width is None else "[%r,%r]"
        unit = _literal(self.target.unit)
        return f'{{"value":%r,"interval":{interval},"unit":{unit},"warnings":%s}}'


def _literal(text: str | None) -> str:
    return json.dumps(text).replace("%", "%%")


def _json_head(manifest: Manifest) -> str:
    """Return the JSON that every answer of the model begins with, up to the request's id."""
    about = {
        "task": manifest.task,
        "model": manifest.model.family,
        "version": manifest.version,
        "sha256": manifest.model.sha256,
    }
    return f'{json.dumps(about, separators=(",", ":"))[:-1]},"request_id":"'
