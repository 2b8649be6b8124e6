"""From a table's rows to results: an answer for each row, or all that is the matter with it."""

import difflib
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from serve.files.cells import make_caster
from serve.runtime import messages
from serve.runtime.answers import Outcome
from serve.runtime.encode import Input, MisfitError, RowError
from serve.runtime.errors import Finding, Loc, RequestError
from serve.runtime.manifest import Column, Spelling
from serve.runtime.model import Checked, Model, describe_no_answer

DELIMITERS = ";,\t|"
REMEMBERED = 4_096  # cells of a column ...
LONGEST_REMEMBERED = 32  # ... of so many characters

# A row's number, and its cells of the columns asked for, or in their place why it cannot be read.
Row = tuple[int, Sequence[object] | str]


class Result(NamedTuple):
    """What became of a row: ``number`` is its place in the file, ``id`` what the client calls it.

    Without an outcome there are ``errors``.
    """

    number: int
    id: object
    cells: Sequence[object]
    outcome: Outcome | None
    errors: list[Finding]


@dataclass
class Summary:
    """What became of a table's rows; ``checks`` counts the bad ones by what is wrong with them."""

    rows: int = 0
    bad: int = 0
    warned: int = 0
    checks: Counter[str] = field(default_factory=Counter)

    def add(self, results: Iterable[Result]) -> None:
        for result in results:
            self.rows += 1
            if result.outcome:
                self.warned += bool(result.outcome.warnings)
            else:
                self.bad += 1
                self.checks.update({finding["type"] for finding in result.errors})


class Predictor:
    """Answers the rows of one table with one model, each row as `/predict` would.

    What a cell is to the model is remembered, since columns repeat themselves. A row with a cell
    that needs an error or a warning is read again by `encode`, which alone writes those.
    """

    def __init__(self, model: Model, id_column: str | None = None, has_nulls: bool = False) -> None:
        """Answer rows of a file whose format has nulls of its own, or only texts for them."""
        self.model, self.id_column = model, id_column
        columns, spelling = model.manifest.columns, model.manifest.spelling
        self._memories = [_Memory(column, spelling, has_nulls) for column in columns]
        self._names = [column.name for column in columns]
        self.wanted = [*self._names, *([id_column] if id_column is not None else [])]
        self.seconds = 0.0  # in the model

    def check(self, names: Sequence[str]) -> None:
        """Raise RequestError (422) unless a table with columns of these names can be answered."""
        errors = [
            _describe_absent(name, names, self.wanted) for name in self.wanted if name not in names
        ]
        is_other = len(names) == 1 or not any(_find_near(name, names) for name in self.wanted)
        if len(errors) == len(self.wanted) > 1 and is_other:
            delimiter = self.model.manifest.spelling.delimiter
            errors = [_describe_no_header(self.wanted, names, delimiter)]
        errors += [_describe_repeated(name) for name in self.wanted if names.count(name) > 1]
        if errors:
            raise RequestError(422, errors)

    def predict(self, rows: Iterable[Row]) -> list[Result]:
        """Return what becomes of each row, in their order."""
        read = [(number, cells, self._read(number, cells)) for number, cells in rows]
        start = time.perf_counter()
        good = [found for _, _, found in read if isinstance(found, Checked)]
        outcomes = iter(self.model.run_each(good))
        self.seconds += time.perf_counter() - start
        return [
            self._result(number, cells, found, next(outcomes))
            if isinstance(found, Checked)
            else self._result(number, cells, found)
            for number, cells, found in read
        ]

    def take_seconds(self) -> float:
        """Return the time spent in the model since this was last asked."""
        taken, self.seconds = self.seconds, 0.0
        return taken

    def row(self, cells: Sequence[object]) -> dict[str, object]:
        """Return a row as JSON would have it; what does not fit stays as it is."""
        pairs = zip(self._names, self._memories, cells, strict=False)
        return {name: memory.cast(cell) for name, memory, cell in pairs}

    def _result(
        self,
        number: int,
        cells: Sequence[object] | str,
        found: Checked | list[Finding],
        outcome: Outcome | None = None,
    ) -> Result:
        readable = () if isinstance(cells, str) else cells
        name = readable[-1] if self.id_column is not None and readable else None
        name = None if _find_flaw(name) else name  # none is better than another
        if outcome:
            return Result(number, name, readable, outcome, [])
        if isinstance(found, Checked):
            columns = self.model.manifest.columns
            return Result(number, name, readable, None, [describe_no_answer(columns, found)])
        return Result(number, name, readable, None, found)

    def _read(self, number: int, cells: Sequence[object] | str) -> Checked | list[Finding]:
        found = self._read_columns(number, cells)
        flaw = None if isinstance(cells, str) or self.id_column is None else _find_flaw(cells[-1])
        if flaw is None:
            return found
        message = f"the id is not UTF-8, it has {flaw}: send the file in UTF-8"
        where: Loc = ["row", number, messages.cut_text(self.id_column or "")]
        finding = Finding(loc=where, msg=message, type="unreadable", input=None)
        return [finding, *(found if isinstance(found, list) else ())]

    def _read_columns(self, number: int, cells: Sequence[object] | str) -> Checked | list[Finding]:
        place: Loc = ["row", number]
        if isinstance(cells, str):
            return [Finding(loc=place, msg=cells, type="unreadable", input=None)]
        try:
            pairs = zip(self._memories, cells, strict=False)
            return Checked(place, [memory[cell] for memory, cell in pairs], [])
        except MisfitError:
            pass
        try:
            return Checked(place, *self.model.encoder.encode(place, self.row(cells)))
        except RowError as error:
            return error.findings


def _find_flaw(cell: object) -> str | None:
    """Return the byte of a text that UTF-8 does not have there, as a message names it."""
    if not isinstance(cell, str) or cell.isascii():
        return None
    try:
        cell.encode()
    except UnicodeEncodeError as error:
        return f"the byte 0x{ord(error.object[error.start]) & 0xFF:02x}"
    return None


class _Memory(dict[object, float | str]):
    """What the cells of one column are to the model; raises MisfitError where that needs words."""

    def __init__(self, column: Column, spelling: Spelling, has_nulls: bool) -> None:
        super().__init__()
        self.cast = make_caster(column, spelling, has_nulls)
        self._input = Input.of(column)

    def __missing__(self, cell: object) -> float | str:
        item = self._input
        value = item.check(self.cast(cell))
        if isinstance(value, float) and (value < item.lowest or value > item.highest):
            raise MisfitError("outside_training")
        if len(self) < REMEMBERED and _can_be_known_again(cell):
            self[cell] = value
        return value


def _can_be_known_again(cell: object) -> bool:
    """Say whether an equal cell of the same column is always the same; 0.0 equals -0.0."""
    if isinstance(cell, str):
        return len(cell) <= LONGEST_REMEMBERED
    return cell is None or isinstance(cell, int) or (isinstance(cell, float) and abs(cell) > 0)


def _describe_absent(name: str, names: Sequence[str], wanted: Sequence[str]) -> Finding:
    near = _find_near(name, [other for other in names if other not in wanted])
    hint = f"did you mean {messages.cut_text(near)!r}?" if near else f"it has {_list_names(names)}"
    message = f"the file lacks this column: {hint}"
    return Finding(loc=["header", messages.cut_text(name)], msg=message, type="missing", input=None)


def _find_near(name: str, names: Sequence[str]) -> str | None:
    """Return the name that is spelled alike but for case, or a longer one with this one in it."""
    folded = {other.casefold(): other for other in names}
    own = name.casefold()
    near = difflib.get_close_matches(own, folded, n=1)
    near += [other for other in folded if len(own) > 2 and own in other]
    return folded[near[0]] if near else None


def _find_delimiter(wanted: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the mark that takes a header of one cell apart into names that are wanted."""
    for mark in DELIMITERS if len(names) == 1 else ():
        cells = {cell.strip().strip('"') for cell in names[0].split(mark)}
        if len(cells) > 1 and cells & {*wanted}:
            return mark
    return None


def _describe_no_header(wanted: Sequence[str], names: Sequence[str], delimiter: str) -> Finding:
    """Say once that this is another table, or none: a page, a pointer, another delimiter."""
    if mark := _find_delimiter(wanted, names):
        message = (
            f"the file's cells are set apart by {mark!r}, those of this task's by {delimiter!r}: "
            f"write it with {delimiter!r}. The first line is {_list_names(names)!r}"
        )
    else:
        message = (
            f"the first line names none of the columns {_list_names(wanted)}: "
            f"it is {_list_names(names)!r}. "
            "Is this the right file, with a header and the right delimiter?"
        )
    return Finding(loc=["header"], msg=message, type="missing", input=None)


def _describe_repeated(name: str) -> Finding:
    message = "more than one column of the file has this name"
    return Finding(
        loc=["header", messages.cut_text(name)], msg=message, type="repeated_key", input=None
    )


def _list_names(names: Sequence[str]) -> str:
    shown = ", ".join(messages.cut_text(name) for name in names[: messages.MAX_VALUES])
    rest = len(names) - messages.MAX_VALUES
    return shown + (f" and {rest:,} more" if rest > 0 else "")
