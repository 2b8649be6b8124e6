"""One task's model: from rows to answers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from serve.runtime import messages
from serve.runtime.answers import Answer, Answers, Outcome
from serve.runtime.encode import MAX_FINDINGS, Encoder, RowError, Vector
from serve.runtime.engine import Engine, TransformerEngine
from serve.runtime.errors import Finding, Loc, RequestError
from serve.runtime.explainer import Explainer
from serve.runtime.fast_decoder import FastDecoder
from serve.runtime.json_rows import Row
from serve.runtime.manifest import Column, Manifest
from serve.runtime.registered import Registered

if TYPE_CHECKING:
    from serve.runtime.transformer import Read


class Checked(NamedTuple):
    """A row that fits its columns: its place in the request, its vector, and its warnings."""

    place: Loc
    vector: Vector
    warnings: list[Finding]


@dataclass(frozen=True)
class Model:
    """A task's manifest, its encoder and its engine, as ``serve.runtime.load`` has verified them.

    Immutable, and safe to use from several threads. Every route answers through these methods, and
    each row is run alone, so that a row's answer is the same to the last bit through all of them.
    """

    manifest: Manifest
    encoder: Encoder
    engine: Engine
    explainer: Explainer | None = None
    registered: Registered | None = None

    @cached_property
    def answers(self) -> Answers:
        return Answers(self.manifest)

    @cached_property
    def fast_decoder(self) -> FastDecoder | None:
        return FastDecoder.of(self.manifest.columns)

    def predict(self, rows: Sequence[Row]) -> list[Answer]:
        """Return an answer for each row; a row comes with its place, ``(["body", 3], {...})``.

        Raises RequestError (422) with every value of every row that does not fit, up to
        MAX_FINDINGS; then no row has been run.
        """
        return [self.answers.answer(outcome) for outcome in self.run(self.check(rows))]

    def predict_one(self, row: Mapping[str, object]) -> Answer:
        """Return the answer for one row; raises RequestError (422) like `predict`."""
        return self.predict([(["body"], dict(row))])[0]

    def check(self, rows: Iterable[Row]) -> list[Checked]:
        """Return the rows ready to run; raises RequestError (422) like `predict`."""
        checked: list[Checked] = []
        errors: list[Finding] = []
        for place, row in rows:
            try:
                checked.append(Checked(place, *self.encoder.encode(place, row)))
            except RowError as error:
                errors.extend(error.findings)
                if len(errors) > MAX_FINDINGS:
                    break
        if errors:
            raise RequestError(422, shorten_findings(errors))
        return checked

    def run(self, rows: Sequence[Checked]) -> list[Outcome]:
        """Run each row; raises RequestError (422) naming those without a finite answer."""
        return self.settle(rows, self.run_each(rows))

    def settle(self, rows: Sequence[Checked], outcomes: Sequence[Outcome | None]) -> list[Outcome]:
        """Return the outcomes of rows; raises RequestError (422) naming those that have none."""
        failed = [
            describe_no_answer(self.manifest.columns, row)
            for row, outcome in zip(rows, outcomes, strict=True)
            if not outcome
        ]
        if failed:
            raise RequestError(422, shorten_findings(failed))
        return [outcome for outcome in outcomes if outcome]

    def run_each(self, rows: Iterable[Checked]) -> list[Outcome | None]:
        """Run each row; None where no finite answer came of it.

        For files and batches, where a bad row must not cost the good ones their answers.
        """
        return [self._run(*row) for row in rows]

    def run_vectors(self, vectors: Iterable[Vector]) -> list[Outcome] | None:
        """Run rows that need no warning; None if one of them has no finite answer."""
        outcomes = []
        for vector in vectors:
            outcome = self._run([], vector, [])
            if outcome is None:
                return None
            outcomes.append(outcome)
        return outcomes

    def _run(self, place: Loc, vector: Vector, warnings: list[Finding]) -> Outcome | None:
        """Run one row; None if no finite answer came out, as of numbers that are too large."""
        if isinstance(self.engine, TransformerEngine):
            output, read = self.engine.run_counting(vector)
            if read.tokens < read.of:
                warnings = [*warnings, describe_cut(self.manifest.columns, place, read)]
        else:
            output = self.engine.run(vector)
        if not all(map(math.isfinite, output)):
            return None
        return Outcome(output, self.answers.decide(output), warnings)


def describe_cut(columns: Sequence[Column], place: Loc, read: "Read") -> Finding:
    """Say how much of a text the model has read; of several they are read as one."""
    names = [column.name for column in columns if column.type == "text"]
    message = (
        f"the model reads the first {read.tokens:,} of {read.of:,} tokens of "
        f"{' and '.join(names)}: the rest has no part in the answer"
    )
    return Finding(loc=[*place, names[0]], msg=message, type="text_cut", input=None)


def shorten_findings(errors: list[Finding]) -> list[Finding]:
    """Return at most MAX_FINDINGS of them; one more says that there are more."""
    if len(errors) <= MAX_FINDINGS:
        return errors
    message = f"these are the first {MAX_FINDINGS:,} errors: there are more"
    more = Finding(loc=["body"], msg=message, type="more_errors", input=None)
    return [*errors[:MAX_FINDINGS], more]


def describe_no_answer(columns: Sequence[Column], row: Checked) -> Finding:
    """Say that the model was run, that nothing finite came of it, and what may be the cause."""
    numbers = [
        (abs(value), column.name, value)
        for column, value in zip(columns, row.vector, strict=True)
        if column.type in ("number", "integer") and isinstance(value, float) and value == value
    ]
    _, name, largest = max(numbers, default=(0.0, "", 0.0))
    seen = f" (the largest is {name}, {messages.format_number(largest)})" if name else ""
    message = (
        "the model has no finite answer for this row: "
        f"either a number is too large for it{seen}, or the model is at fault"
    )
    return Finding(loc=row.place, msg=message, type="no_answer", input=None)
