"""What a client is told of a model's output: as a typed answer, and as JSON written directly."""

import json
from collections.abc import Sequence

import msgspec
from typing_extensions import TypedDict

from serve.runtime.errors import Finding
from serve.runtime.json_rows import encode_json
from serve.runtime.manifest import Manifest


class ClassAnswer(TypedDict):
    """The class of one row, with the probability of each class."""

    label: str
    probabilities: dict[str, float]
    warnings: list[Finding]


class ValueAnswer(TypedDict):
    """The value of one row; the interval covers the share of rows that /model/info states."""

    value: float
    interval: tuple[float, float] | None
    unit: str | None
    warnings: list[Finding]


Answer = ClassAnswer | ValueAnswer


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
        self._form = self._class_form() if target.labels else self._value_form()
        self._names = [json.dumps(label).encode() for label in target.labels]

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
        """Return the JSON of a `Prediction`: what `answer` says, in ASCII alone."""
        rows = b",".join(map(self._row_json, outcomes))
        return b'%b%b","predictions":[%b]}' % (self._head, request_id.encode(), rows)

    def _row_json(self, outcome: Outcome) -> bytes:
        numbers = outcome.output
        notes = encode_json(outcome.warnings) if outcome.warnings else b"[]"
        if self._names:
            return self._form % (self._names[outcome.choice], *_literals(numbers), notes)
        if self.half_width is not None:
            numbers = [numbers[0], numbers[0] - self.half_width, numbers[0] + self.half_width]
        return self._form % (*_literals(numbers), notes)

    def _class_form(self) -> bytes:
        shares = ",".join(f"{_text(label)}:%b" for label in self.labels)
        return f'{{"label":%b,"probabilities":{{{shares}}},"warnings":%b}}'.encode()

    def _value_form(self) -> bytes:
        interval = "null" if self.half_width is None else "[%b,%b]"
        unit = _text(self.target.unit)
        return f'{{"value":%b,"interval":{interval},"unit":{unit},"warnings":%b}}'.encode()


def _literals(numbers: list[float]) -> list[bytes]:
    """Write each number with the fewest digits that give it back, as ``repr`` does, but faster."""
    return msgspec.json.encode(numbers)[1:-1].split(b",")


def _text(text: str | None) -> str:
    return json.dumps(text).replace("%", "%%")


def _json_head(manifest: Manifest) -> bytes:
    """Return the JSON that every answer of the model begins with, up to the request's id."""
    about = {
        "task": manifest.task,
        "model": manifest.model.family,
        "version": manifest.version,
        "sha256": manifest.model.sha256,
    }
    return json.dumps(about, separators=(",", ":"))[:-1].encode() + b',"request_id":"'
