"""Writes results as a table: a row for each row that came in, in their order."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, Protocol, TextIO

from serve.files.table import Predictor, Result
from serve.runtime.errors import Finding, RequestError
from serve.runtime.json_rows import encode_json
from serve.runtime.manifest import Manifest
from serve.runtime.model import Model


class Sink(Protocol):
    """A table that is being written."""

    def write(self, results: Iterable[Result]) -> None:
        """Write a row for each result."""

    def close(self) -> None:
        """Write what is left; the file stays open."""


class Layout:
    """The columns of a table of answers, and a result's values in their order.

    ``number`` is ``line`` or ``row``: what the first column counts. Raises RequestError (422) where
    the id's name is that of another column.
    """

    def __init__(self, model: Model, number: str, id_column: str | None) -> None:
        self._answers, answers = model.answers, name_answer_columns(model.manifest)
        self.has_id, self._blank = id_column is not None, [None] * len(answers)
        ids = [] if id_column is None else [id_column]
        self.names = [number, *ids, *answers, "warnings", "error"]
        if len(set(self.names)) < len(self.names):
            clash = "the answers have a column of this name: name another as id"
            loc: list[str | int] = ["query", "id"]
            raise RequestError(422, [Finding(loc=loc, msg=clash, type="taken", input=id_column)])

    def values(self, result: Result) -> list[Any]:
        """Return the values of a row: nothing for answers that a row did not get."""
        head = [result.number, result.id] if self.has_id else [result.number]
        if result.outcome is None:
            return [*head, *self._blank, None, format_findings(result.errors)]
        answer: Any = self._answers.answer(result.outcome)
        if "label" in answer:
            numbers = [answer["label"], *answer["probabilities"].values()]
        else:
            numbers = [answer["value"], *(answer["interval"] or ())]
        return [*head, *numbers, format_findings(answer["warnings"]), None]


def name_answer_columns(manifest: Manifest) -> list[str]:
    """Return the names of the columns that hold answers."""
    if manifest.target.labels:
        return ["label", *(f"probability_{label}" for label in manifest.target.labels)]
    return ["value", "low", "high"] if manifest.target.interval else ["value"]


def format_findings(findings: Sequence[Finding]) -> str | None:
    """Write findings in one text: ``age [out_of_range]: expected …, got 300; chol […``."""
    if not findings:
        return None
    return "; ".join(
        f"{name_column(finding)} [{finding['type']}]: {finding['msg']}" for finding in findings
    )


def name_column(finding: Finding) -> str:
    """Return the column that a finding is about, or ``row`` for all of it."""
    return str(finding["loc"][2]) if len(finding["loc"]) > 2 else "row"


class _Lines:
    """Takes a writer's lines; they end as on this system, and not as RFC 4180 has it."""

    def __init__(self, text: TextIO) -> None:
        self._write = text.write

    def write(self, line: str) -> object:
        return self._write(line.removesuffix("\r\n") + "\n")


def make_writer(text: TextIO, delimiter: str = ",") -> Any:
    """Return a CSV writer of lines that end with a line feed.

    Python's own quotes a carriage return only where lines end with one; elsewhere a cell with one
    would be two lines to whoever reads it.
    """
    return csv.writer(_Lines(text), delimiter=delimiter, lineterminator="\r\n")


class CsvSink:
    """CSV as RFC 4180 has it, with points in numbers, whatever came in."""

    def __init__(self, file: BinaryIO, layout: Layout, has_header: bool = True) -> None:
        self._values = layout.values
        self._text = io.TextIOWrapper(file, "utf-8", "backslashreplace", newline="")
        self._writer = make_writer(self._text)
        if has_header:
            self._writer.writerow(layout.names)

    def write(self, results: Iterable[Result]) -> None:
        self._writer.writerows(map(self._values, results))

    def close(self) -> None:
        self._text.detach()


def encode_rows(predictor: Predictor, results: Iterable[Result]) -> bytes:
    """Return the rows that were answered as a client would send them in JSON."""
    return encode_json([predictor.row(result.cells) for result in results if result.outcome])


class BadRows:
    """CSV with a line for each thing that is wrong with a row, by the name of its check."""

    def __init__(self, file: BinaryIO, layout: Layout, has_header: bool) -> None:
        self._has_id = layout.has_id
        self._text = io.TextIOWrapper(file, "utf-8", "backslashreplace", newline="")
        self._writer = make_writer(self._text)
        if has_header:
            head = layout.names[: 2 if layout.has_id else 1]
            self._writer.writerow([*head, "column", "check", "message", "value"])

    def write(self, results: Iterable[Result]) -> None:
        for result in results:
            head = [result.number, result.id] if self._has_id else [result.number]
            for finding in result.errors:
                self._writer.writerow(
                    [*head, name_column(finding), finding["type"], finding["msg"], finding["input"]]
                )

    def close(self) -> None:
        self._text.detach()
