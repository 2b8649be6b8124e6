"""Tables that nobody should write, made from sound ones by what people and programs do to them."""

import csv
import io
import random
from collections.abc import Callable, Sequence

Rows = list[list[str]]
Change = Callable[[Rows, random.Random], None]
ODD = (
    "", " ", "NA", "None", "NULL", "?", "-", "-999", "9999", "1e999", "-inf", "nan", "1,5", "1.2,5",
    "12.5.2", "02-Mar", "#REF!", "2024-02-30", "20240101", "01/02/2024", "0x1f", "1_000", "00123",
    "true", "Yes", "${x}", "a: b", "{", "]", "'", '"', "\\", "\t", "é", "名前", "\u200b",
    "\ufeff", "\u2212" + "5", "a" * 400, "=1+1", "<5", "12 %", "$ 4", "class", "\n", "x\ny", "\x07",
)  # fmt: skip
NAMES = (
    "", "class", "import", "_row", "_target", "_slice_x", "a b", "ﬁ", "${x}", "x.y", "<<", "=", "1",
    "None", "col", "abs", "id", "index", "[x]", "q'uote", 'q"uote', "\\", "a:b", "#", "é",
)  # fmt: skip
ENCODINGS = ("utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "gb18030", "latin-1", "cp949")


def make_table(rng: random.Random) -> tuple[Rows, str]:
    """Return a sound table of up to 120 rows, its header first, and the column to predict."""
    count = rng.choice((2, 12, 40, 120, 120))
    kinds = [rng.choice(KINDS) for _ in range(rng.randint(1, 5))]
    names = [f"c{place}" for place in range(len(kinds))]
    target = rng.choice((TARGETS[0], *TARGETS))
    cells = [[make(rng, row) for make in kinds] + [target(rng, row)] for row in range(count)]
    return [[*names, "y"], *cells], "y"


KINDS: Sequence[Callable[[random.Random, int], str]] = (
    lambda rng, _: str(rng.randint(0, 90)),
    lambda rng, _: f"{rng.gauss(0, 3):.2f}",
    lambda rng, _: rng.choice(("red", "green", "blue")),
    lambda rng, _: rng.choice(("yes", "no")),
    lambda _, row: f"2024-01-{1 + row % 28:02}",
    lambda rng, row: f"they came {row} times and {rng.choice(('left', 'stayed'))}",
    lambda _, row: str(row),
    lambda rng, _: rng.choice(("1", "")),
    lambda rng, _: f"{rng.randint(0, 99999):05}",
)
TARGETS = (
    lambda rng, _: rng.choice(("good", "bad")),
    lambda rng, _: f"{rng.gauss(9, 2):.1f}",
    lambda rng, _: str(rng.randint(0, 5)),
    lambda rng, _: f"k{rng.randint(0, 30)}",
)


def spoil(rows: Rows, rng: random.Random) -> bytes:
    """Return a table as a file after one to three things were done to it."""
    for _ in range(rng.randint(1, 2)):
        rng.choice(CHANGES)(rows, rng)
    text = io.StringIO()
    dialect = {
        "delimiter": rng.choice((",", ",", ",", ";", "\t", "|")),
        "lineterminator": rng.choice(("\n", "\n", "\r\n", "\r")),
        "quoting": rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    }
    csv.writer(text, **dialect).writerows(rows)  # type: ignore[arg-type]
    content = text.getvalue().encode(rng.choice(("utf-8", "utf-8", *ENCODINGS)), errors="replace")
    return content[: rng.randrange(len(content) + 1)] if rng.random() < 0.05 else content


def _pick(rows: Rows, rng: random.Random) -> list[str]:
    return rows[rng.randrange(len(rows))]


def _put_odd_cell(rows: Rows, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 3, 20))):
        if row := _pick(rows[1:] or rows, rng):
            row[rng.randrange(len(row))] = rng.choice(ODD)


def _fill_column(rows: Rows, rng: random.Random) -> None:
    place, word, often = rng.randrange(len(rows[0])), rng.choice(ODD), rng.choice((0.3, 1.0))
    for row in rows[1:]:
        if place < len(row) and rng.random() < often:
            row[place] = word


def _rename(rows: Rows, rng: random.Random) -> None:
    rows[0][rng.randrange(max(len(rows[0]) - 1, 1))] = rng.choice(NAMES)


def _shift_row(rows: Rows, rng: random.Random) -> None:
    row = _pick(rows, rng)
    if rng.random() < 0.5:
        row.insert(rng.randrange(len(row) + 1), rng.choice(ODD))
    elif row:
        row.pop(rng.randrange(len(row)))


def _add_lines(rows: Rows, rng: random.Random) -> None:
    line = rng.choice(
        (["a report"], ["", ""], list(rows[0]), ["[m]"] * len(rows[0]), ["total", "9"])
    )
    rows.insert(rng.choice((0, 1, len(rows))), list(line))


def _add_blank_cells(rows: Rows, rng: random.Random) -> None:
    for row in rows[: rng.choice((1, len(rows)))]:
        row += [""] * rng.randint(1, 2)


def _copy_rows(rows: Rows, _: random.Random) -> None:
    rows += [list(row) for row in rows[1:]]


def _drop_header(rows: Rows, rng: random.Random) -> None:
    if len(rows) > 1 and rng.random() < 0.3:
        del rows[0]


CHANGES: Sequence[Change] = (
    _put_odd_cell, _put_odd_cell, _fill_column, _rename, _shift_row, _add_lines, _add_blank_cells,
    _copy_rows, _drop_header,
)  # fmt: skip
