"""Refuses a file that is no table, or that reads as another table than the one it holds.

Each of these would pass a parser without a word: a page or a pointer in place of data, a quote that
swallows the lines after it, a header in the middle, a last line cut off in writing.
"""

import codecs
import itertools
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.contract.source import Origin
from stages.shared.errors import PipelineError

HEAD = 512  # bytes in which a file says what it is
LISTED = 5  # lines that a message names
SAMPLE = 1_000  # rows from which a column's usual cells are learned
FEW = 50  # different cells: with more a column is free text
NUMBER = re.compile(r"[-+]?\d[\d.,eE+-]*")
DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
WESTERN = "cp1252"
ASIAN = {  # each as the wider encoding of which it is a part
    "cp949": "cp949", "euc_kr": "cp949", "johab": "cp949", "gb2312": "gb18030", "gbk": "gb18030",
    "gb18030": "gb18030", "hz": "gb18030", "big5": "big5", "big5hkscs": "big5", "cp950": "big5",
    "shift_jis": "cp932", "shift_jis_2004": "cp932", "shift_jisx0213": "cp932", "cp932": "cp932",
    "euc_jp": "euc_jp", "euc_jis_2004": "euc_jp", "euc_jisx0213": "euc_jp",
}  # fmt: skip
SURE = 20  # different words beyond ASCII from which a guess by language is trusted
PLAUSIBLE = re.compile(
    "[A-Z0-9_]*[\u00c0-\u00d6\u00d8-\u00de]?[A-Z0-9_\u00df]*"  # a capital at most, or
    "|[\u00c0-\u00d6\u00d8-\u00de]?[A-Za-z0-9_\u00df-\u00f6\u00f8-\u00ff\u0153\u0161\u017e]*"
)
PAIRED = re.compile(r"[\u00a0-\u00bf][^\x00-\x7f]|[^\x00-\x7f][\u00a1-\u00bf]")  # halves of Han
SIGNS = re.compile(
    "[\u2013\u2014\u2018-\u201e\u2022\u2026\u20ac\u00a3\u00a7\u00a9\u00ab\u00ae\u00b0-\u00b5\u00bb-\u00bf\u00a0\u00a1]"
)
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
AROUND = ' \t\u00a0\ufeff"'  # what may stand around a name: joined files have marks in between
NAME = re.compile(r"[^\W\d][^\n]*")
MARKUP = re.compile(rb"<(!doctype\b|!--|\?xml\b|(html|head|body|title|error)[\s>])")
JSON = re.compile(rb'\{\s*"|\[\s*[\[{"]')
POINTERS = (b"version https://git-lfs", b"oid sha256:")
MAGIC = {
    b"PAR1": "Parquet: call the file .parquet",
    b"PK\x03\x04": "a zip archive or a spreadsheet: export its table as CSV",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet: export its table as CSV",
    b"\x1f\x8b": "gzip: unpack it",
    b"SQLite format 3": "an SQLite database: name it as `database`, with a `query`",
    b"%PDF": "a PDF",
}


def check_content(path: Path, origin: Origin, where: str) -> None:
    """Raise PipelineError for a file whose first bytes say that it is something else than CSV."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    found = _recognise_other_kind(head) or _recognise_utf_16(head, origin)
    if found:
        raise PipelineError(f"{path} is not the table that {where} describes: it is {found}")


def _recognise_other_kind(head: bytes) -> str | None:
    text = head.lstrip(codecs.BOM_UTF8 + b" \t\r\n").lower()
    if MARKUP.match(text):
        return "a web page, often an error or a login page: download the data again"
    if text.startswith(POINTERS):
        return "a pointer of Git LFS: run `git lfs pull`"
    if JSON.match(text):
        return "JSON: export its table as CSV"
    if re.match(rb"(outs|md5):", text) and b"md5:" in text:
        return "a pointer of DVC: run `dvc pull`, and name the file without .dvc"
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)


def _recognise_utf_16(head: bytes, origin: Origin) -> str | None:
    if codecs.lookup(origin.encoding).name.startswith(("utf-16", "utf-32")):
        return None
    if head.startswith(UTF_32):
        return "text in UTF-32: write `encoding: utf-32`"
    if head.startswith(UTF_16):
        return "text in UTF-16: write `encoding: utf-16`"
    if b"\0" not in head:
        return None
    if encoding := guess_utf_16(head):
        return f"text in UTF-16 without a byte-order mark: write `encoding: {encoding}`"
    return "not text: it holds bytes that are zero"


def guess_utf_16(head: bytes) -> str | None:
    """Return which UTF-16 a file without a mark is in: of Latin letters one half is empty."""
    low, high = head[::2].count(0), head[1::2].count(0)
    if b"\0" not in head or 3 * max(low, high) < len(head) // 2:
        return None
    if min(low, high) > 0.1 * len(head):
        return None
    return "utf-16-le" if high > low else "utf-16-be"


@dataclass
class Rows:
    """What one pass over a CSV file finds in it; lines count from 1, the header included."""

    first: tuple[int, list[str]] = (0, [])
    headers: list[int] = field(default_factory=list)  # lines that name the columns
    broken: list[tuple[int, list[str]]] = field(default_factory=list)  # with a line break in a cell
    ragged: list[int] = field(default_factory=list)  # with more or fewer cells than columns
    usual: list[list[str]] = field(default_factory=list)  # a sample of the others, evenly spread
    whole: int = 0  # rows of the right width
    widths: Counter[int] = field(default_factory=Counter)  # of all rows but the header
    last: tuple[int, list[str]] = (0, [])

    def sample(self, row: list[str]) -> None:
        """Keep every row, then every second, fourth, … so that no more than SAMPLE are kept."""
        every = 1 << (self.whole // SAMPLE).bit_length()
        if self.whole % every == 0:
            self.usual.append(row)
        if len(self.usual) > SAMPLE:
            self.usual = self.usual[::2]
        self.whole += 1


def check_rows(lines: Any, names: Sequence[str], path: Path, origin: Origin, where: str) -> None:
    """Raise PipelineError for rows that the parser would take for something else.

    ``lines`` is a ``csv.reader`` over the whole file, ``names`` are its columns.
    """
    rows = _survey_rows(lines, names, origin.header)
    if not origin.header and _names_columns(rows, names, origin):
        raise PipelineError(
            f"{path}: its first line seems to name the columns "
            f"({origin.delimiter.join(rows.first[1])[:200]!r}), where {where} says `header: false`"
        )
    if repeated := rows.headers[origin.header :]:
        raise PipelineError(
            f"{path} repeats its header {_describe_lines(repeated)}: it was joined from several "
            "exports; "
            "delete these lines"
        )
    number, last = rows.last
    if 0 < len(last) < len(names) and not _ends_with_line_feed(path, origin):
        raise PipelineError(
            f"{path} is cut off: line {number}, the last, has {len(last)} of {len(names)} cells "
            f"and no line end ({origin.delimiter.join(last)[-80:]!r}); get the whole file"
        )
    if swallowed := [line for line, row in rows.broken if _swallows(row, rows.usual, origin)]:
        raise PipelineError(
            f"{path}: a quote opens a cell and swallows the lines after it "
            f"{_describe_lines(swallowed)}. If "
            f"quotes are plain characters in this file, write `quoting: false` in {where}; else "
            "mend the quotes there"
        )
    if origin.header and len({*rows.widths}) == 1 and len(names) not in rows.widths:
        width = next(iter(rows.widths))
        raise PipelineError(
            f"{path}: line {rows.first[0]}, the header, has {len(names)} names, and every row "
            f"below it {width} cells: {_describe_header(names, width)}; see {where}"
        )
    if rows.ragged:
        raise PipelineError(
            f"{path} has rows with more or fewer cells than its {len(names)} columns, "
            f"{_describe_lines(rows.ragged)}: a delimiter inside a cell, such as a decimal comma, "
            "needs "
            f"quotes around it. Mend these lines, or see {where}, delimiter and quoting"
        )


def _describe_header(names: Sequence[str], width: int) -> str:
    if width > len(names):
        return (
            "a name is lacking in the header, or a delimiter inside a cell lacks quotes around it"
        )
    return f"a name too many stands in the header ({', '.join(names)[:200]}): take it out"


def _survey_rows(lines: Any, names: Sequence[str], has_header: bool) -> Rows:
    rows, wanted, start = Rows(), sorted(map(_fold_name, names)), 1
    for row in lines:
        if is_filled(row):
            is_first = not rows.first[0]
            rows.first = (start, row) if is_first else rows.first
            if is_first and has_header:  # `names` are what it says
                rows.headers.append(start)
                rows.last = (start, row)
                start = lines.line_num + 1
                continue
            rows.widths[len(row)] += 1
            if _fold_name(row[0]) in wanted and sorted(map(_fold_name, row)) == wanted:
                rows.headers.append(start)
            elif lines.line_num > start and any("\n" in c or "\r" in c for c in row):
                rows.broken.append((start, row))
            elif len(row) == len(names):
                rows.sample(row)
            if len(row) != len(names):
                rows.ragged.append(start)
            rows.last = (start, row)
        start = lines.line_num + 1
    return rows


def is_filled(row: Sequence[str]) -> bool:
    """Say whether a parsed line is more than blanks: pandas passes over those."""
    return len(row) > 1 or any(map(str.strip, row))


def _fold_name(name: str) -> str:
    return name.strip(AROUND).casefold()


def _are_same_names(cell: str, name: str) -> bool:
    return bool(cell.strip()) and _fold_name(cell) == _fold_name(name)


def _names_columns(rows: Rows, expected: Sequence[str], origin: Origin) -> bool:
    """Say whether the first row holds names: those expected, or words where numbers follow."""
    line, first = rows.first
    same = sum(map(_are_same_names, first, expected))
    if same > 1 and 2 * same >= sum(bool(cell.strip()) for cell in first):
        return True
    columns = zip(*rows.usual[1:], strict=True)
    above = [cell for cell, column in zip(first, columns, strict=False) if _is_numeric(column)]
    names = [cell for cell in above if NAME.fullmatch(cell) and cell not in origin.missing]
    return rows.headers[:1] == [line] or bool(above and names == above)


def _swallows(row: Sequence[str], usual: Sequence[Sequence[str]], origin: Origin) -> bool:
    """Say whether a cell's first line ends as a row does, or a later one is a row of its own.

    A legal cell with line breaks would need a delimiter for each of the columns after it, and
    between them what these columns hold, one of them with more form than free text.
    """
    columns = list(zip(*usual, strict=True))
    for place, cell in enumerate(row):
        first, *rest = re.split(r"\r\n|\n|\r", cell)
        if _looks_like(first.split(origin.delimiter)[1:], columns[place + 1 :]) and rest:
            return True
        if any(_looks_like(line.split(origin.delimiter), columns) for line in rest):
            return True
    return False


def _looks_like(cells: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Say whether the cells are as many as the columns and hold what is usual there."""
    if not columns or len(cells) != len(columns):
        return False
    return all(map(_is_usual, cells, columns)) and any(map(_has_form, columns))


def _is_usual(cell: str, column: Sequence[str]) -> bool:
    if _is_numeric(column):
        return not cell.strip() or bool(NUMBER.fullmatch(cell.strip()))
    return cell in column if len(set(column)) <= FEW else True


def _has_form(column: Sequence[str]) -> bool:
    return _is_numeric(column) or len(set(column)) <= FEW


def _is_numeric(column: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in column if cell.strip()]
    numbers = sum(NUMBER.fullmatch(cell) is not None for cell in filled)
    return bool(filled) and numbers >= 0.9 * len(filled)


def _describe_lines(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, itertools.islice(lines, LISTED)))
    more = f" and {len(lines) - LISTED:,} more" if len(lines) > LISTED else ""
    times = "once" if len(lines) == 1 else f"{len(lines):,} times"
    return f"{times}, in line{'s' if len(lines) > 1 else ''} {shown}{more}"


def _ends_with_line_feed(path: Path, origin: Origin) -> bool:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 8))
        tail = file.read()
    return tail.decode(origin.encoding, errors="ignore").endswith(("\n", "\r"))


def suggest_delimiter(first: str, origin: Origin) -> str:
    """Return a hint where the first line is divided by another delimiter than the declared one."""
    counts = {mark: first.count(mark) for mark in DELIMITERS if mark != origin.delimiter}
    mark = max(counts, key=counts.__getitem__)
    if origin.delimiter in first or not counts[mark]:
        return ""
    shown = DELIMITERS[mark]
    return f". It holds {shown} {counts[mark]} times: is `delimiter: {json.dumps(mark)}` meant?"


def suggest_encoding(path: Path, error: UnicodeDecodeError) -> str:
    """Return a hint at the encoding that a file not in the declared one may be in."""
    with path.open("rb") as file:
        file.seek(max(0, error.start - HEAD) if error.start < 1 << 20 else 0)
        guess = guess_encoding(file.read(1 << 16))
    return f" (it may be {guess})" if guess else ""


def guess_encoding(content: bytes) -> str | None:
    """Return the likeliest encoding of text that is not UTF-8, if any.

    That of Western Windows, which spreadsheets write, is preferred to one that reads the same, and
    where a few words alone tell: then it must read as letters.
    """
    from charset_normalizer import from_bytes

    guess = from_bytes(content).best()
    words = {word for word in re.findall(rb"[\x80-\xff\w]+", content) if not word.isascii()}
    western = content.decode(WESTERN, errors="replace")
    if (guess and western == str(guess)) or (len(words) < SURE and _are_words(western)):
        return WESTERN
    return ASIAN.get(guess.encoding, guess.encoding) if guess else None


def _are_words(text: str) -> bool:
    """Say whether what is beyond ASCII are small letters inside words, or typographer's signs."""
    if PAIRED.search(text):
        return False
    beyond = re.findall(r"\w*[^\x00-\x7f]\w*", SIGNS.sub(" ", text))
    return all(PLAUSIBLE.fullmatch(word) for word in beyond)
