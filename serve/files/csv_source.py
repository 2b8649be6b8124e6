"""Reads CSV row by row, in the spelling of the table that was trained on, but always as UTF-8."""

import csv
import io
import operator
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import BinaryIO, Literal

from serve.files.table import Row
from serve.runtime.errors import RequestError
from serve.runtime.manifest import Spelling

LONGEST_LINE = 1 << 20  # characters; what a quote opens may be as long, too
OTHER_KINDS = {
    b"PAR1": "Parquet",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"\x1f\x8b": "gzip",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
csv.field_size_limit(LONGEST_LINE)


class CsvSource:
    """A table in CSV: ``names`` is its header.

    Raises RequestError (400) for a file that is something else, or whose lines do not end.
    """

    kind = "line"  # what a row's number counts
    integers: frozenset[str] = frozenset()  # every cell is a text

    def __init__(self, file: BinaryIO, spelling: Spelling) -> None:
        _check_kind(file)
        # A byte that is not UTF-8 becomes half a surrogate pair, which no column takes.
        text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
        self._text = text
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if spelling.quoting else csv.QUOTE_NONE
        self._reader = csv.reader(
            _read_lines(text),
            delimiter=spelling.delimiter,
            quoting=quoting,
            strict=True,
            skipinitialspace=spelling.delimiter == " ",  # which stands for one or more
        )
        self.names = [cell.strip() for cell in self._read_header()]

    def rows(self, wanted: Sequence[str]) -> Iterator[Row]:
        """Yield each row's first line and its cells of the ``wanted`` columns, in that order.

        A row that cannot be read comes with the reason in their place. Blank lines are passed over.
        """
        reader, width = self._reader, len(self.names)
        pick = _make_picker([self.names.index(name) for name in wanted])
        while True:
            number = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield number, f"{_format_span(number, reader.line_num)}: {error}"
                continue
            if len(cells) == width:
                yield number, pick(cells)
            elif cells:
                counted = f"{len(cells):,} cells, but the header has {width:,}"
                yield number, f"{_format_span(number, reader.line_num)}: {counted}"

    def close(self) -> None:
        """Let go of the file, without closing it."""
        self._text.detach()

    def _read_header(self) -> list[str]:
        try:
            return next(filter(None, self._reader), [])
        except csv.Error as error:
            raise RequestError(400, f"the header cannot be read: {error}") from error


def _check_kind(file: BinaryIO) -> None:
    head = file.read(4)
    file.seek(0)
    found = [kind for magic, kind in OTHER_KINDS.items() if head.startswith(magic)]
    if found or not head:
        seen = f"not CSV in UTF-8 but {found[0]}" if found else "empty"
        raise RequestError(400, f"the file is {seen}: send CSV with a header")


def _read_lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield each line as it stands; raises RequestError (400) where one is endless."""
    for line in iter(partial(text.readline, LONGEST_LINE), ""):
        if len(line) == LONGEST_LINE:
            raise RequestError(400, f"a line has more than {LONGEST_LINE:,} characters")
        yield line


def _make_picker(places: list[int]) -> Callable[[list[str]], tuple[str, ...]]:
    if len(places) > 1:
        return operator.itemgetter(*places)
    (place,) = places
    return lambda cells: (cells[place],)


def _format_span(first: int, last: int) -> str:
    return f"line {first:,}" if last <= first else f"lines {first:,} to {last:,}, as one row"
