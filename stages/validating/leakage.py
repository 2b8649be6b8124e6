"""Looks for columns that know the target, and for cases that are in two splits."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from stages.shared.equal_rows import find_mixed, number_rows
from stages.shared.formulas import find_formula
from stages.shared.heuristics import is_named_as_identifier, measure_predictability
from stages.shared.schema import SPLITS, TARGET
from stages.validating.cells import Mask, Numbers, as_numbers, format_value
from stages.validating.findings import Finding
from stages.validating.prepared import PLACE, Prepared
from stages.validating.rules import Severity
from stages.validating.values import counts_rows

LIKELY = 0.95  # share of the classes that one column tells, from which it is warned of
LIKELY_VALUE = 0.98  # the same for numbers, which honest columns tell better
GAPS = 0.2  # share of a column's values that may be missing where formulas are looked for
NUMERIC = ("number", "integer", "boolean")


def check_leaks(prepared: Prepared) -> Iterator[Finding]:
    """A column that alone tells the target is known too late, or is the target by another name."""
    target, sure = prepared.frame[TARGET], prepared.error_from.leak
    cells = target.to_numpy(object if prepared.target.classes else np.float64)
    for name, column in prepared.columns.items():
        if column.type == "text":
            continue
        told = measure_predictability(
            _encode_cells(prepared, name), cells, is_classification=bool(prepared.target.classes)
        )
        if told >= min(LIKELY if prepared.target.classes else LIKELY_VALUE, sure):
            yield prepared.make_finding(
                "leak",
                name,
                np.zeros(len(target), dtype=bool),
                severity="error" if told >= sure else "warn",
                found=f"this column alone tells {told:.1%} of the target",
                expected="columns that are known before the target is",
                remedy=f"take it out of {prepared.locate_key(f'columns.{name}')} if it is known "
                "only "
                "afterwards; else write `checks: { leak: off }` there",
            )


def _encode_cells(prepared: Prepared, name: str) -> Numbers:
    cells = prepared.frame[name]
    if prepared.columns[name].type in NUMERIC:
        return as_numbers(cells)
    codes = pd.factorize(cells, sort=True)[0].astype(np.float64)
    return np.where(codes < 0, np.nan, codes)


def check_formulas(prepared: Prepared) -> Iterator[Finding]:
    """A sum, a product or ratio, or a comparison of columns that tells the target needs no model.

    Columns with many gaps are left aside: hardly a row would have all.
    """
    names = [
        name
        for name, column in prepared.columns.items()
        if column.type in NUMERIC and prepared.frame[name].isna().mean() < GAPS
    ]
    if not names:
        return
    numbers = np.column_stack([as_numbers(prepared.frame[name]) for name in names])
    classes = bool(prepared.target.classes)
    cells = prepared.frame[TARGET].to_numpy(object if classes else np.float64)
    found = find_formula(names, numbers, cells, is_classification=classes)
    if found:
        yield prepared.make_finding(
            "follows",
            TARGET,
            np.zeros(len(prepared.frame), dtype=bool),
            severity="error" if found.share >= prepared.error_from.follows else "warn",
            found=f"the target is {format_value(found.text)}, {found.exactness}",
            expected="a target that does not follow from the columns by arithmetic",
            remedy=f"take one of {', '.join(map(format_value, found.columns))} out of "
            f"{prepared.locate_key('columns')}, or write `checks: {{ follows: off }}`",
        )


def check_split_overlap(prepared: Prepared) -> Iterator[Finding]:
    """Equal inputs must lie in one split: as they are, but for an identifier, or for spelling.

    Splitting by content keeps equal inputs together; by time or group it may not.
    """
    by_content = not (prepared.split.time or prepared.split.group)
    again = f"run `dvc repro --force prepare@{prepared.task}`"
    other = f"choose another group or time in {prepared.locate_key('split')}"
    for bad, words, remedy in _find_shared_rows(prepared):
        if bad.any():
            yield prepared.make_finding(
                "leakage",
                None,
                bad,
                severity=_weigh_overlap(prepared, bad, is_impossible=by_content and not remedy),
                found=f"{bad.sum():,} rows have {words} in another split, too",
                expected="equal inputs in one split only, or the test is on rows seen in training",
                remedy=remedy or (again if by_content else other),
            )
            return


def _weigh_overlap(prepared: Prepared, shared: Mask, *, is_impossible: bool) -> Severity:
    """Copies across splits make every number wrong; rows that are alike by chance do not."""
    many = shared.mean() >= prepared.error_from.leakage and not prepared.has_twins
    return "error" if is_impossible or many else "warn"


def _find_shared_rows(prepared: Prepared) -> Iterator[tuple[Mask, str, str]]:
    """Yield which rows are in two splits, as what, and the remedy where it is a special one."""
    names = list(prepared.columns)
    yield _find_in_two_splits(prepared, names), "inputs that are", ""
    identifiers = _list_identifiers(prepared)
    others = [name for name in names if name not in identifiers]
    if identifiers and others:
        words = f"inputs that but for {', '.join(identifiers)} are"
        remedy = f"move {', '.join(identifiers)} from {prepared.locate_key('columns')} to `ignored`"
        yield _find_in_two_splits(prepared, others), words, remedy
    texts = [name for name in names if prepared.columns[name].type == "text"]
    if texts:
        words = "texts that but for case and punctuation are"
        yield (
            _find_in_two_splits(prepared, names, texts),
            words,
            "see whether these are copies of one another",
        )


def _find_in_two_splits(
    prepared: Prepared, names: Sequence[str], folded: Sequence[str] = ()
) -> Mask:
    """Return the rows whose cells in ``names`` are also in another split."""
    cells = prepared.frame[list(names)]
    if folded:
        cells = cells.assign(**{name: _fold_texts(cells[name]) for name in folded})
    return find_mixed(number_rows(cells), prepared.frame[PLACE].cat.codes.to_numpy(np.int64))


def _fold_texts(texts: pd.Series) -> pd.Series:
    return texts.str.casefold().str.replace(r"[\W_]+", " ", regex=True).str.strip()


def _list_identifiers(prepared: Prepared) -> list[str]:
    """Return the columns that number or name the rows: another value in each, and so called."""
    return [
        name
        for name, column in prepared.columns.items()
        if column.type in ("integer", "category", "text")
        and prepared.frame[name].is_unique
        and (is_named_as_identifier(name) or counts_rows(prepared.frame[name], column))
    ]


def check_groups(prepared: Prepared) -> Iterator[Finding]:
    """With a time split a date column must be in order from split to split."""
    time = prepared.split.time
    if not time or time.column not in prepared.columns:
        return
    dates = prepared.frame[time.column]
    parts = [dates[prepared.places[name]].dropna() for name in SPLITS]
    for (one, earlier), (two, later) in itertools.pairwise(zip(SPLITS, parts, strict=True)):
        if len(earlier) and len(later) and earlier.max() > later.min():
            bad = (prepared.places[one] & (dates > later.min())).to_numpy(dtype=bool)
            yield prepared.make_finding(
                "leakage",
                time.column,
                bad,
                found=f"{bad.sum():,} rows of {one} are later than the first of {two}",
                expected=f"every row of {one} before those of {two}",
                remedy=f"see {prepared.locate_key('split.time')}",
            )
