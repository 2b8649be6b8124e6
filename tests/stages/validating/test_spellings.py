"""Cells of another spelling get a hint that a person can act on."""

import pytest

from stages.validating.spellings import suggest_spelling

HINTS = {
    "thousands": ("number", ["1,234", "12,500", "1,000,000"], "without"),
    "thousands by blanks": ("integer", ["1\u202f234", "12 500"], "thousands"),
    "thousands by points": ("number", ["1.234,50", "12.500,00"], "thousands"),
    "decimal comma": ("number", ["3,5", "12,25", "0,1"], "decimal comma"),
    "accounting": ("number", ["(12.50)", "(3)"], "minus"),
    "currency": ("number", ["$ 12.50", "€3", "4 £"], "currency"),
    "per cent": ("number", ["12 %", "3.5%"], "percentage"),
    "unit": ("number", ["70 kg", "71.5kg"], "'70 kg' carries its unit"),
    "errors": ("number", ["#REF!", "#DIV/0!"], "spreadsheet's error"),
    "turned into dates": ("number", ["3-May", "May-24"], "looks like a date"),
    "kept as text": ("number", ["'63", '="7"'], "keeps as text"),
    "bounds": ("number", ["<0.5", "> 90"], "a bound"),
    "spans": ("integer", ["30-39", "40 - 49"], "a span"),
    "letters for digits": ("integer", ["6O", "l7"], "letter in place of a digit"),
    "a date": ("number", ["2024-05-31 00:00:00"], "is a date"),
    "a long minus": ("number", ["\u22125"], "write -"),
    "fractions": ("integer", ["61.5", "2.25"], "no whole number"),
    "marks for missing": ("number", ["NULL", "n/a", "-"], "stand for no value"),
    "missing dates": ("datetime", ["unknown", "--"], "stand for no value"),
    "day numbers": ("datetime", ["44197", "44198.5"], "1899-12-30"),
    "seconds": ("datetime", ["1700000000", "1700000001000"], "since 1970"),
    "day first": ("datetime", ["31/12/2024", "1.2.24"], "told apart"),
    "months by name": ("datetime", ["May 31, 2024", "1 June 2024"], "names its month"),
}


@pytest.mark.parametrize(("kind", "values", "words"), HINTS.values(), ids=HINTS.keys())
def test_the_way_of_writing_is_named(kind: str, values: list[str], words: str) -> None:
    hint = suggest_spelling(values, kind)
    assert words in hint
    assert repr(values[0]) in hint


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("number", ["abc", "def"]),
        ("number", ["3,5", "x", "y", "z"]),
        ("datetime", ["soon"]),
        ("boolean", ["1,234"]),
        ("number", []),
    ],
)
def test_the_unknown_gets_no_hint(kind: str, values: list[str]) -> None:
    assert suggest_spelling(values, kind) == ""
