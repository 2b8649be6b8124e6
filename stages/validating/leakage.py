"""Looks for columns that know the target, and for cases that are in two splits."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from stages.shared.equal_rows import find_mixed, number_rows
from stages.shared.heuristics import FEW_ROWS, ROWS, is_named_as_identifier, measure_predictability
from stages.shared.schema import SPLITS, TARGET
from stages.validating.cells import Mask, Numbers, as_numbers, format_value
from stages.validating.findings import Finding
from stages.validating.prepared import PLACE, Prepared
from stages.validating.values import counts_rows

SURE, LIKELY = 0.995, 0.98  # share of the target that one column tells: an error, a warning
EXACT = 1e-9  # relative error of a target that follows from columns
ROUNDED = 0.01  # of a target's deviation: a smaller step is its rounding
FINEST = 6  # digits behind the point to which a target may be rounded
GAPS = 0.2  # share of a column's values that may be missing where formulas are looked for
NUMERIC = ("number", "integer", "boolean")


def check_leaks(prepared: Prepared) -> Iterator[Finding]:
    """A column that alone tells the target is known too late, or is the target by another name."""
    target = prepared.frame[TARGET]
    cells = target.to_numpy(object if prepared.target.classes else np.float64)
    for name, column in prepared.columns.items():
        if column.type == "text":
            continue
        told = measure_predictability(
            _encode_cells(prepared, name), cells, is_classification=bool(prepared.target.classes)
        )
        if told >= LIKELY:
            yield prepared.make_finding(
                "leak",
                name,
                np.zeros(len(target), dtype=bool),
                severity="error" if told >= SURE else "warn",
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
    """A number that is a sum, difference, product or ratio of columns needs no model.

    Columns with many gaps are left aside: hardly a row would have all.
    """
    if prepared.target.classes:
        return
    names = [
        name
        for name, column in prepared.columns.items()
        if column.type in NUMERIC and prepared.frame[name].isna().mean() < GAPS
    ]
    numbers = np.column_stack([as_numbers(prepared.frame[name]) for name in [*names, TARGET]])
    complete = numbers[np.isfinite(numbers).all(axis=1)][:ROWS]
    if len(complete) < FEW_ROWS + 3 * len(names) or not names or not np.ptp(complete[:, -1]):
        return
    for words, parts in (
        ("a weighted sum", complete),
        ("a product or ratio", _take_logs(complete)),
    ):
        used = [names[i] for i in _find_exact_parts(parts, complete[:, -1])]
        if used:
            yield prepared.make_finding(
                "follows",
                TARGET,
                np.zeros(len(prepared.frame), dtype=bool),
                found=f"the target is {words} of {', '.join(map(format_value, used))}, exactly",
                expected="a target that does not follow from the columns by arithmetic",
                remedy=f"take one of them out of {prepared.locate_key('columns')}",
            )
            return


def _take_logs(numbers: Numbers) -> Numbers:
    """Return logarithms of the columns that are positive throughout; others become 0."""
    positive = np.asarray((numbers > 0).all(axis=0))
    logs = np.log(np.where(positive, numbers, 1.0))
    return logs if positive[-1] else np.zeros_like(logs)


def _find_exact_parts(numbers: Numbers, target: Numbers) -> list[int]:
    """Return the columns of which the last one is a weighted sum, or none.

    Least squares on one half of the rows must foretell the other half within EXACT, or as well as
    the target is rounded. The last column is ``target`` itself or its logarithm, and of logarithms
    the weights are powers: whole or half ones.
    """
    X, y = numbers[:, :-1], numbers[:, -1]
    if not np.ptp(y):
        return []
    scale = np.maximum(np.abs(X).max(axis=0), 1e-300)
    design = np.column_stack([X / scale, np.ones(len(X))])
    half = len(X) // 2
    weights = np.linalg.lstsq(design[:half], y[:half], rcond=1e-12)[0]
    slack = EXACT * max(np.abs(y).max(), 1.0) * 10
    if np.abs(design[half:] @ weights - y[half:]).max() > slack:
        is_log = y is not target and not np.array_equal(y, target)
        weights = _round_powers(X, y, weights, scale) if is_log else weights
        told = design @ weights
        missed = np.abs((np.exp(np.minimum(told, 700.0)) if is_log else told) - target)
        if missed.max() > _find_rounding_step(target):
            return []
    return np.flatnonzero(np.abs(weights[:-1]) > 1e-6 * np.abs(y).max()).tolist()


def _round_powers(X: Numbers, y: Numbers, weights: Numbers, scale: Numbers) -> Numbers:
    """Return the weights of the nearest whole and half powers, with the constant that fits them."""
    powers = np.round(2 * weights[:-1] / scale) / 2
    return np.append(powers * scale, np.median(y - X @ powers))


def _find_rounding_step(target: Numbers) -> float:
    """Return the step to which a target is rounded, where it is far below its spread; else 0."""
    for digits in range(FINEST + 1):
        if np.array_equal(np.round(target, digits), target):
            step = 10.0**-digits
            return step if step < ROUNDED * target.std() else 0.0
    return 0.0


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
                severity="error" if by_content and not remedy else "warn",
                found=f"{bad.sum():,} rows have {words} in another split, too",
                expected="equal inputs in one split only, or the test is on rows seen in training",
                remedy=remedy or (again if by_content else other),
            )
            return


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
