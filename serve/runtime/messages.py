"""Words for messages: what a column takes, and what a request held instead."""

import json
import math
from typing import Any

from serve.runtime.manifest import Column

LONGEST = 80
MOST_VALUES = 20
KINDS = {
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "datetime": 'a date or time such as "2026-11-21" or "2026-11-21T08:30:00Z"',
}


def expected(column: Column) -> str:
    """Say what a column takes: ``a number from 80 to 700 (mg/dl), or null``."""
    words = one_of(column.values) if column.values else _kind(column)
    if column.values and column.unseen == "flag":
        words += ", or another, which counts as unknown"
    if column.range:
        words += f" {span(column.range)}"
    if column.unit:
        words += f" ({column.unit})"
    return words + (", or null" if column.missing == "allowed" else "")


def _kind(column: Column) -> str:
    if column.type != "text":
        return KINDS[column.type]
    fewest, most = column.characters
    return f"a text of {fewest:,} to {most:,} characters"


def one_of(values: tuple[str | int, ...]) -> str:
    """List a category's values as JSON writes them; a long list is cut."""
    shown = ", ".join(json.dumps(value, ensure_ascii=False) for value in values[:MOST_VALUES])
    rest = len(values) - MOST_VALUES
    return f"one of {shown}" + (f" and {rest:,} more" if rest > 0 else "")


def span(bounds: tuple[float, float]) -> str:
    return f"from {plain(bounds[0])} to {plain(bounds[1])}"


def plain(number: float) -> str:
    """Write a number as a person would: 18 rather than 18.0."""
    whole = math.isfinite(number) and number == int(number) and abs(number) < 1e15
    return str(int(number)) if whole else repr(number)


def found(value: object) -> str:
    """Name a value of a request by its JSON type, so that "12" and 12 look different."""
    match value:
        case None:
            return "null"
        case bool():
            return f"the boolean {json.dumps(value)}"
        case str():
            return f"the text {json.dumps(cut(value), ensure_ascii=False)}"
        case float() if math.isnan(value):
            return "NaN, which JSON does not have"
        case float() if math.isinf(value):
            return "a number that is infinite or too large"
        case int() | float():
            return cut(json.dumps(value))
        case _:
            return "a list" if isinstance(value, list) else "an object"


def seen(value: object) -> Any:
    """Return the value as an answer may repeat it: cut, finite, and never nested."""
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, list | dict):
        return f"{found(value)} of {len(value):,}"
    return value if not isinstance(value, int) or abs(value) < 10**LONGEST else cut(str(value))


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
