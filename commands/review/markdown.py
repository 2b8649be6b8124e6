"""Pieces of GitHub's Markdown, safe for any text: nothing from data or parameters takes effect."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from commands.shared.paired import Difference
from stages.evaluating.formatting import format_number

LONGEST = 80  # characters of a value that are shown
MINUS = "\u2212"
SPACE = "\u00a0"  # at which no line is broken
MARKS = {
    "better": f"🟢{SPACE}better",
    "worse": f"🔴{SPACE}worse",
    "not worse": f"🟢{SPACE}not{SPACE}worse",
    "inconclusive": f"🟡{SPACE}inconclusive",
    "within noise": f"⚪{SPACE}within{SPACE}noise",
    None: "",
}


def format_code(value: object) -> str:
    """Return a value as code, which GitHub neither renders nor takes for a mention or a link."""
    text = " ".join(str(value).split()) or " "
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    padded = f" {text} " if "`" in text else text
    return f"{fence}{padded}{fence}"


def format_table(head: Sequence[str], rows: Iterable[Sequence[object]], most: int) -> str:
    """Return a table of at most ``most`` rows, and how many more there are.

    A column whose name ends in a colon is aligned to the right.
    """
    lines = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    rule = ["---:" if name.endswith(":") else "---" for name in head]
    kept = [[name.rstrip(":") for name in head], rule, *lines[:most]]
    text = "\n".join(f"| {' | '.join(line)} |" for line in kept)
    return text + (f"\n\n… and {len(lines) - most:,} more." if len(lines) > most else "")


def format_names(names: Sequence[str], most: int) -> str:
    """Return names one after the other, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(format_code(name) for name in names[:most]) + more


def fold_details(summary: str, body: str, is_open: bool = False) -> str:
    """Return a part that a reader unfolds."""
    start = "<details open>" if is_open else "<details>"
    return f"{start}<summary>{summary}</summary>\n\n{body}\n\n</details>"


def format_count(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun: 1 row, 2 rows."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def format_duration(seconds: float) -> str:
    """Return seconds for people, as ``1 min 5 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def format_signed(value: float, scale: float) -> str:
    """Return a difference with its sign, as exact as ``format_number`` gives such values."""
    if not np.isfinite(value):
        return format_number(None)
    text = f"{abs(value):,.0f}" if abs(scale) >= 100 else f"{abs(value):.3f}"
    if not float(text.replace(",", "")):
        return "0"
    return f"{'+' if value > 0 else MINUS}{text}"


def format_interval(found: Difference) -> str:
    """Return a difference and its interval."""
    value, low, high = (format_signed(x, found.base) for x in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]".replace(" ", SPACE)


def describe_change(found: Difference) -> str:
    """Return in words how a metric changed."""
    values = f"{format_number(found.base)} → {format_number(found.here)}"
    return f"{found.name} {values}, {format_interval(found)}"


def describe_possible_loss(found: Difference, tolerance: float) -> str:
    """Say how large a loss may hide in the interval, and which one would not matter."""
    loss, base = max(0.0, -found.gain[1]), abs(found.base) or 1.0
    return (
        f"A loss of up to {format_signed(loss, found.base).lstrip('+')} in {found.name} "
        f"({100 * loss / base:.1f} %) is not ruled out; "
        f"up to {100 * tolerance:g} % does not matter."
    )


def format_metric(found: Difference) -> str:
    """Return a metric's name with an arrow to where it is better."""
    return f"{found.metric.name}{SPACE}{'↑' if found.metric.direction > 0 else '↓'}"
