"""Looks for values that the contract lets in and a person would not: marks, units, swaps."""

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from stages.contract.columns import Column
from stages.shared.heuristics import find_sentinels, is_named_as_identifier
from stages.shared.schema import SPLITS, TARGET
from stages.validating.cells import Mask, Numbers, as_numbers, format_value
from stages.validating.findings import Finding
from stages.validating.prepared import Prepared
from stages.validating.rules import Severity

MOST = 0.95  # share of one value that is too much
MOSTLY = 0.5  # share of missing values that is worth a warning
ENOUGH = 20  # values, to say anything of how they are spread
FITS = 0.9  # share of values in range that make a column fit
FEWEST = 5  # values out of range, to think of another unit
NEAR = 0.2  # logarithmic distance of converted values from the others
APART = 3.0  # standard deviations between two groups of values
ALIKE = 0.05  # relative, by which the groups' ratio may miss a known factor
UNITS: Mapping[
    str, tuple[float, float, str]
] = {  # value = factor x other + shift, what is measured
    "pounds instead of kilograms, or the reverse": (2.20462, 0.0, "kg|kilo|lb|pound"),
    "inches instead of centimetres, or the reverse": (2.54, 0.0, "cm|cent|inch"),
    "feet instead of metres, or the reverse": (3.28084, 0.0, "m|met(re|er)s?|ft|feet|foot"),
    "miles instead of kilometres, or the reverse": (1.609344, 0.0, "km|kilomet|mi|miles?|mph"),
    "kilopascals instead of mmHg, or the reverse": (7.50062, 0.0, "mm ?hg|kpa"),
    "mmol/l instead of mg/dl of cholesterol, or the reverse": (38.67, 0.0, "mg/dl|mmol"),
    "mmol/l instead of mg/dl of glucose, or the reverse": (18.016, 0.0, "mg/dl|mmol"),
    "months instead of years, or the reverse": (12.0, 0.0, "years?|months?"),
    "shares instead of percentages, or the reverse": (100.0, 0.0, ""),
    "thousands instead of ones, or the reverse": (1000.0, 0.0, ""),
    "degrees Celsius instead of Fahrenheit, or the reverse": (
        1.8,
        32.0,
        "°|degrees|deg|f|c|celsius",
    ),
}


def check_sentinels(prepared: Prepared) -> Iterator[Finding]:
    """A number apart from all others, such as -999, that seems to stand for missing."""
    for name, column, numbers in _list_amounts(prepared):
        low, high = column.range or (-np.inf, np.inf)
        inside = numbers[(numbers >= low) & (numbers <= high)]  # of others the rule `range` tells
        for value in set(find_sentinels(numbers)) & set(inside):
            yield prepared.make_finding(
                "sentinel",
                name,
                numbers == value,
                found=f"{format_value(value)} occurs {int((numbers == value).sum()):,} times, "
                "apart from "
                "all other values: it seems to stand for missing",
                expected=f"amounts{f' in {column.unit}' if column.unit else ''}, or no value",
                remedy=f'list "{format_value(value)}" for it under `missing_in` of the source, '
                f"or write `checks: {{ sentinel: off }}` in {_locate_checks(prepared, name)}",
            )


def check_dominant(prepared: Prepared) -> Iterator[Finding]:
    """One value in nearly every row: the others may be what is wrong, or the column of no use."""
    for name in prepared.columns:
        present = prepared.frame[name].dropna()
        counts = present.value_counts()
        if len(present) < ENOUGH or len(counts) < 2 or counts.iloc[0] < MOST * len(present):
            continue
        value = counts.index[0]
        yield prepared.make_finding(
            "dominant",
            name,
            (prepared.frame[name] != value).fillna(False).to_numpy(dtype=bool)
            & prepared.frame[name].notna().to_numpy(),
            found=f"{format_value(value)} is {counts.iloc[0] / len(present):.0%} of the values "
            "present",
            expected=f"a column that varies, no value above {MOST:.0%}",
            remedy="see whether the other rows were lost on the way, or take it out of "
            + prepared.locate_key(f"columns.{name}"),
        )


def check_identifiers(prepared: Prepared) -> Iterator[Finding]:
    """A column with another value in each row, which counts or names them."""
    for name, column in prepared.columns.items():
        present = prepared.frame[name].dropna()
        if column.type not in ("integer", "category") or len(present) < ENOUGH:
            continue
        if present.is_unique and (counts_rows(present, column) or is_named_as_identifier(name)):
            yield prepared.make_finding(
                "identifier",
                name,
                np.zeros(len(prepared.frame), dtype=bool),
                found="every row has another value: it names rows and describes none",
                expected="a property that rows can share",
                remedy=f"move it from {prepared.locate_key(f'columns.{name}')} to `ignored`",
            )


def counts_rows(present: pd.Series, column: Column) -> bool:
    """Say whether a column's values are whole numbers that go up by one from row to row."""
    return column.type == "integer" and bool((present.diff().dropna() == 1).all())


def check_missing_shares(prepared: Prepared) -> Iterator[Finding]:
    """A larger share of missing values than the contract allows, or than MOSTLY without one."""
    for name, column in prepared.columns.items():
        missing = prepared.frame[name].isna().to_numpy()
        share, most = float(missing.mean()) if len(missing) else 0.0, column.max_missing_share
        unlearnable = missing[prepared.places[SPLITS[0]]].all()  # the rule `empty` tells it
        if column.missing == "forbidden" or unlearnable or share <= (most or MOSTLY):
            continue
        yield prepared.make_finding(
            "missing_share",
            name,
            missing,
            severity="warn" if most is None else "error",
            found=f"{int(missing.sum()):,} of {len(missing):,} values ({share:.1%}) are missing",
            expected=f"at most {most if most is not None else MOSTLY:.0%} missing",
            remedy="fill the gaps, or change "
            f"{prepared.locate_key(f'columns.{name}.max_missing_share')}",
        )


def check_units(prepared: Prepared) -> Iterator[Finding]:
    """Two groups of values, one a known factor above the other, are one column in two units."""
    for name, column, numbers in _list_amounts(prepared):
        found = _split_units(numbers, column.unit)
        if found:
            words, mask = found
            yield prepared.make_finding(
                "units",
                name,
                mask,
                found=f"the values fall into two groups, {int(mask.sum()):,} in the smaller, as if "
                f"some were {words}",
                severity=_weigh_units(prepared, name, mask),
                expected=f"one unit{f', {column.unit},' if column.unit else ''} throughout",
                remedy="convert the smaller group in the source, or write `checks: { units: off }` "
                f"in {_locate_checks(prepared, name)}",
            )


def _weigh_units(prepared: Prepared, name: str, smaller: Mask) -> Severity:
    """A target in two units makes every later number wrong; a column may be known by others."""
    is_wrong = name == TARGET and smaller.mean() >= prepared.error_from.units
    return "error" if is_wrong else "warn"


def _list_units(unit: str | None) -> Iterator[tuple[str, float, float]]:
    """Yield the changes of unit that a column may have undergone: all, where none is declared."""
    for words, (factor, shift, measured) in UNITS.items():
        if not unit or not measured or re.match(rf"({measured})\b", unit, re.IGNORECASE):
            yield words, factor, shift


def suggest_unit(outside: Numbers, inside: Numbers, unit: str | None) -> str:
    """Return which change of unit would bring values out of range to where the others are."""
    if min(len(outside), len(inside)) < FEWEST or np.median(inside) <= 0:
        return ""
    centre = float(np.median(inside))
    found = [
        (abs(np.log(max(float(np.median(converted)), 1e-300) / centre)), words)
        for words, factor, shift in _list_units(unit)
        for converted in (outside * factor + shift, (outside - shift) / factor)
    ]
    distance, words = min(found)
    return f"as if they were {words}" if distance < NEAR else ""


def suggest_swap(prepared: Prepared, name: str) -> str:
    """Return the column whose range this column's values fit, and the reverse."""
    own = prepared.columns[name]
    for other, column in prepared.columns.items():
        if other == name or not own.range or not column.range:
            continue
        here, there = (as_numbers(prepared.frame[each]) for each in (name, other))
        crossed = _fits(here, column) and _fits(there, own)
        if crossed and not _fits(here, own) and not _fits(there, column):
            return f"they fit {other}, whose values fit here: the two columns seem swapped"
    return ""


def _fits(numbers: Numbers, column: Column) -> bool:
    present = numbers[np.isfinite(numbers)]
    low, high = column.range or (-np.inf, np.inf)
    return bool(len(present)) and float(np.mean((present >= low) & (present <= high))) >= FITS


def _split_units(numbers: Numbers, unit: str | None) -> tuple[str, Mask] | None:
    positive = np.isfinite(numbers) & (numbers > 0)
    if positive.sum() < ENOUGH or len(np.unique(numbers[positive])) < ENOUGH:
        return None
    for words, factor, shift in _list_units(unit):
        cut = (
            _find_cut(np.log(np.sort(numbers[positive])), float(np.log(factor)))
            if not shift
            else None
        )
        if cut is not None:
            above = positive & (np.log(np.where(positive, numbers, 1.0)) > cut)
            smaller = above if above.sum() <= positive.sum() / 2 else positive & ~above
            return words, smaller
    return None


def _find_cut(logs: Numbers, distance: float) -> float | None:
    """Return where sorted logarithms part into two groups of like spread ``distance`` apart.

    The groups must lie APART deviations from one another with an empty gap between them.
    """
    gaps = np.diff(logs)
    least = max(5, len(logs) // 50)
    inner = gaps[least - 1 : len(gaps) - least + 1]
    if not len(inner):
        return None
    at = int(inner.argmax()) + least
    low, high = logs[:at], logs[at:]
    spread = max(low.std(), high.std(), 1e-9)
    is_apart = abs(high.mean() - low.mean() - distance) < ALIKE
    is_clean = gaps[at - 1] > 0.25 * distance and distance > APART * spread
    is_alike = min(low.std(), high.std()) > 0.5 * spread
    return float((low[-1] + high[0]) / 2) if is_apart and is_clean and is_alike else None


def _list_amounts(prepared: Prepared) -> Iterator[tuple[str, Column, Numbers]]:
    """Yield the columns of numbers, and the target where it is one."""
    for name, column in prepared.fields.items():
        if column.type in ("number", "integer"):
            yield name, column, as_numbers(prepared.frame[name])


def _locate_checks(prepared: Prepared, name: str) -> str:
    """Return where the contract says how serious a column's rules are; a target has no own."""
    return prepared.locate_key("checks" if name == TARGET else f"columns.{name}")
