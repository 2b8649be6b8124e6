"""Finds the lines above and under a header that hold no row, and whether there is a header."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from commands.drafting.marks import AMONG_NUMBERS, USUAL
from stages.shared.errors import PipelineError

NUMBER = re.compile(r"[-+]?(\d+([.,]\d+)*|[.,]\d+)([eE][-+]?\d+)?")
UNIT = re.compile(r"[\[(].*[\])]|.*[°%/µ²³].*")
ABOVE = 20  # lines that may stand above a header
NO_NUMBER = {*USUAL, *AMONG_NUMBERS}
Line = tuple[int, list[str]]  # its number, and its cells


def find_skipped(lines: Sequence[Line], path: Path) -> Mapping[int, str]:
    """Return the lines that are no rows, each with what it is.

    Raises PipelineError where two lines name the columns, and neither does it wholly.
    """
    above = _count_above([row for _, row in lines])
    found = {number: f"line {number} stands above the header" for number, _ in lines[:above]}
    rest = lines[above:]
    rows = [row for _, row in rest]
    if len(rows) > 3 and _is_second_header(rows):
        (first, names), (second, below) = rest[:2]
        if _is_whole(names):
            return {**found, second: f"line {second} holds units or descriptions, no row"}
        if _is_whole(below):
            return {**found, first: f"line {first} groups the columns that line {second} names"}
        raise PipelineError(
            f"{path}: its header takes two lines, {first} and {second} ({', '.join(names)[:80]!r} "
            f"and {', '.join(below)[:80]!r}), and neither names each column: join them to one"
        )
    return found


def _count_above(rows: Sequence[Sequence[str]]) -> int:
    """Return how many of the first lines are titles: narrower than the table, or nearly blank."""
    width = Counter(map(len, rows[ABOVE:] or rows)).most_common(1)[0][0]
    for count, row in enumerate(rows[: ABOVE + 1]):
        short_header = width - len(row) == 1 and len(row) > 1 and _is_whole(row)
        if short_header or (len(row) >= width and not _is_title(row, rows[count + 1 :])):
            return count
    return 0


def _is_title(row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Say whether one cell alone is filled, where all the rows below fill more."""
    fewest = min(map(_count_filled, below), default=0)
    return _count_filled(row) == 1 and len(row) > 2 and fewest > 1


def _count_filled(row: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _is_whole(names: Sequence[str]) -> bool:
    cells = [name.strip() for name in names]
    return all(cells) and len({*cells}) == len(cells)


def _is_second_header(rows: Sequence[Sequence[str]]) -> bool:
    """Say whether the second row has words where numbers follow, as the first one has."""
    first, second, *rest = rows
    if len(first) != len(second):
        return False
    columns = zip(*(row for row in rest if len(row) == len(first)), strict=True)
    places = [place for place, column in enumerate(columns) if are_mostly_numbers(column)]
    cells = [second[place].strip() for place in places]
    if not places or not all(map(_is_word, cells)):
        return False
    if any(NUMBER.fullmatch(first[place].strip()) for place in places):
        return False
    return len(places) > 1 or bool(UNIT.fullmatch(cells[0]))


def _is_word(cell: str) -> bool:
    return bool(cell) and cell not in NO_NUMBER and not NUMBER.fullmatch(cell)


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Say whether the first row names the columns.

    Words above most columns of numbers are the surest sign; a table of words alone must hold no
    number in its first row, and repeat none of its words in the same column.
    """
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    width = Counter(map(len, rest)).most_common(1)[0][0] if rest else len(first)
    shift = 1 if width == len(first) + 1 and not all(not row[-1] for row in rest if row) else 0
    columns = list(zip(*(row[shift:] for row in rest if len(row) == width), strict=True))
    above = [
        name for name, column in zip(first, columns, strict=False) if are_mostly_numbers(column)
    ]
    if above:
        return 2 * sum(bool(NUMBER.fullmatch(name)) for name in above) < len(above)
    return not any(NUMBER.fullmatch(name) for name in first) and not any(
        name and name in {c.strip() for c in col} for name, col in zip(first, columns, strict=False)
    )


def are_mostly_numbers(cells: Sequence[str]) -> bool:
    """Say whether more than half of the filled cells are numbers."""
    filled = [cell.strip() for cell in cells if cell.strip() and cell.strip() not in NO_NUMBER]
    return bool(filled) and sum(bool(NUMBER.fullmatch(cell)) for cell in filled) > 0.5 * len(filled)
