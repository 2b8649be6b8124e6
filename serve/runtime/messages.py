"""Texts for messages: what a column takes, and what a request held instead."""

import json
import math
from typing import Any

from serve.runtime.manifest import Column

LONGEST = 80
MAX_VALUES = 20
KINDS = {
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "datetime": 'a date or time such as "2026-11-21" or "2026-11-21T08:30:00Z"',
}


def describe_expected(column: Column) -> str:
    """Say what a column takes: ``a number from 80 to 700 (mg/dl), or null``."""
    text = list_values(column.values) if column.values else _describe_type(column)
    if column.values and column.unseen == "flag":
        text += ", or another, which counts as unknown"
    if column.range:
        text += f" {format_span(column.range)}"
    if column.unit:
        text += f" ({column.unit})"
    return text + (", or null" if column.missing == "allowed" else "")


def _describe_type(column: Column) -> str:
    if column.type != "text":
        return KINDS[column.type]
    fewest, most = column.characters
    return f"a text of {fewest:,} to {most:,} characters"


def list_values(values: tuple[str | int, ...]) -> str:
    """List a category's values as JSON writes them; a long list is cut."""
    shown = ", ".join(json.dumps(value, ensure_ascii=False) for value in values[:MAX_VALUES])
    rest = len(values) - MAX_VALUES
    return f"one of {shown}" + (f" and {rest:,} more" if rest > 0 else "")


def format_span(bounds: tuple[float, float]) -> str:
    return f"from {format_number(bounds[0])} to {format_number(bounds[1])}"


def format_number(number: float) -> str:
    """Write a number as a person would: 18 rather than 18.0."""
    whole = math.isfinite(number) and number == int(number) and abs(number) < 1e15
    return str(int(number)) if whole else repr(number)


def name_value(value: object) -> str:
    """Name a value of a request by its JSON type, so that "12" and 12 look different."""
    match value:
        case None:
            return "null"
        case bool():
            return f"the boolean {json.dumps(value)}"
        case str():
            return f"the text {json.dumps(cut_text(value), ensure_ascii=False)}"
        case float() if math.isnan(value):
            return "NaN, which JSON does not have"
        case float() if math.isinf(value):
            return "a number that is infinite or too large"
        case int() | float():
            return cut_text(json.dumps(value))
        case _:
            return "a list" if isinstance(value, list) else "an object"


def show_value(value: object) -> Any:
    """Return the value as an answer may repeat it: cut, finite, and never nested."""
    if isinstance(value, str):
        return cut_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, list | dict):
        return f"{name_value(value)} of {len(value):,}"
    return value if not isinstance(value, int) or abs(value) < 10**LONGEST else cut_text(str(value))


def cut_text(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
