"""Recognises numbers and dates that are written in another way than the contract says."""

import re
from collections.abc import Mapping, Sequence

GAP = "[,.'\u2019 \u00a0\u202f]"  # what may stand between thousands
AMOUNTS = {
    rf"[-+]?\d{{1,3}}({GAP}\d{{3}})+([.,]\d+)?": (
        "thousands are set apart, as in {0}: write them without"
    ),
    r"[-+]?\d+,\d+": '{0} has a decimal comma: write `decimal: ","` under the source',
    r"\(\s*[\d.,]+\s*\)": "{0} is a negative number as accountants write it: put a minus before it",
    r"[-+]?[$€£¥]\s*[-+]?[\d.,]+|[-+]?[\d.,]+\s*[$€£¥]": (
        "{0} carries a currency sign: write the number alone and name the currency as `unit`"
    ),
    r"[-+]?[\d.,]+\s*%": '{0} is a percentage: write the number alone, with `unit: "%"`',
}
NUMBERS = AMOUNTS | {
    r"#(REF|VALUE|DIV/0|NAME|NUM|N/A)[!?]?": "{0} is a spreadsheet's error: mend its formula",
    r"""['="]+\s*[-+]?[\d.,]+["']*""": (
        "{0} is a number that a spreadsheet keeps as text: write it without quotes"
    ),
    r"[<>~≤≥≈]\s*[-+]?[\d.,]+": "{0} is a bound: write a number, or leave the cell empty",
    r"[\d.]+\s*[-\u2013]\s*[\d.]+": "{0} is a span: write one number, or declare a category",
    r"(?=.*\d)(?=.*[OoIl])[\dOoIl.]+": "{0} has a letter in place of a digit",
    r"\d{4}-\d\d-\d\d.*": "{0} is a date: see whether columns were shifted or swapped",
    r"\u2212[\d.,]+": "{0} begins with a typographer's minus, U+2212: write -",
    r"\d{1,2}[-. ][A-Za-z]{3}|[A-Za-z]{3}[-. ]\d{2}": (
        "{0} is what a spreadsheet makes of a number that looks like a date: import it as text"
    ),
    r"[-+]?[\d.,]+\s*[A-Za-zµ°/]+\d?": (
        "{0} carries its unit: write the number alone and name the unit as `unit`"
    ),
}
DAY_FIRST = r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}( .*)?"
MONTH_NAMED = r".*[A-Za-z]{3,}.*\d{4}.*|\d{1,2}.[A-Za-z]{3,}.*"
DATES = {
    r"\d{5}(\.\d+)?": "{0} is a spreadsheet's day number, counted from 1899-12-30: export dates",
    r"\d{10}|\d{13}": "{0} is a time in seconds or milliseconds since 1970: make it a date",
    DAY_FIRST: ("in {0} day and month cannot be told apart: write dates as 2024-05-31"),
    MONTH_NAMED: "{0} names its month: write dates as 2024-05-31",
}
GAPS = {
    r"(?i)-+|\.+|n\.?/?a\.?|nan|null|nil|none|missing|unknown|\\n|#n/a": (
        "{0} seems to stand for no value: list it under `missing` of the source"
    ),
}
# Cells that were numbers once: a program or a hand has spoilt them.
BROKEN = {
    form: words
    for form, words in NUMBERS.items()
    if any(sign in words for sign in ("spreadsheet", "in place of a digit", "typographer"))
}
MARKED = re.compile(r"-9+|-1|9{2,}|\\N|#.+")
FRACTIONS = {
    r"[-+]?\d*\.\d+": "{0} is no whole number: correct it, or declare `type: number`",
}
KNOWN = {
    "number": GAPS | NUMBERS,
    "integer": GAPS | FRACTIONS | NUMBERS,
    "datetime": GAPS | DATES,
    "boolean": GAPS,
}


def suggest_spelling(values: Sequence[str], kind: str) -> str:
    """Return in words how the cells that are no ``kind`` are written, or nothing if unknown.

    Most of them must be written in that way; the first of these is quoted.
    """
    return suggest_form(values, KNOWN.get(kind, {}))


def stands_for_missing(value: str) -> bool:
    """Say whether a value is a known mark for missing: NULL, n/a, -9, 999."""
    return bool(MARKED.fullmatch(value.strip()) or suggest_form([value], GAPS))


def suggest_form(values: Sequence[str], forms: Mapping[str, str]) -> str:
    """Return the words of the first form in which most of the values are written, or nothing."""
    for form, words in forms.items():
        found = [value for value in values if re.fullmatch(form, value.strip())]
        if 2 * len(found) > len(values):
            return words.format(repr(found[0]))
    return ""
