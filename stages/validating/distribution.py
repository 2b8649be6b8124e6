"""Holds a table against the one accepted before it: rows, spreads, relations, the target's sense.

All tests of a table together raise a false alarm in at most FALSE_ALARMS of sound tables: each runs
at that level divided by their number (Bonferroni), and none speaks of a difference too small to
matter. `benchmarks/validation.py` counts the alarms on resampled tables.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtrc, ndtr

from stages.contract.columns import Column
from stages.shared.schema import TARGET
from stages.validating.cells import Numbers, as_numbers, format_value
from stages.validating.findings import Finding
from stages.validating.prepared import Prepared
from stages.validating.spreads import Spread, Statistics, as_amounts, count_numbers, count_words
from stages.validating.statistics import list_text_columns, rank_columns, relate_words

Matrix = Any  # a DataFrame with columns' names on both sides
FALSE_ALARMS = 0.005
FEWEST = 10.0  # rows expected in a part that is compared by itself
MOVED = 0.05  # share of the rows that must lie elsewhere to matter
RELATED = 0.2  # change of a correlation that matters
TELLING = 0.15  # correlation with the target that has a sense ...
MANY = 20  # ... and so many weaker ones, which by chance hardly all turn round, have one, too
OPPOSITE = -0.7  # cosine between old and new relations to the target
SWAPPED = 0.5  # of the distance that is left once two columns are exchanged
FAR = 0.3  # share of the rows of two columns that lie elsewhere, before a swap is thought of
SHRUNK = 0.5  # share of the accepted rows below which a table is too small
SAMPLE = 20_000  # rows by which columns are compared with one another
AMOUNTS, WORDS = ("number", "integer"), ("category", "boolean")


def check_row_count(prepared: Prepared) -> Iterator[Finding]:
    """A table of less than SHRUNK of the rows that the accepted one had."""
    accepted = prepared.accepted
    if accepted and len(prepared.frame) < SHRUNK * accepted.rows:
        yield _make_finding(
            prepared,
            "row_count",
            None,
            found=f"{len(prepared.frame):,} rows, where the accepted table had {accepted.rows:,}",
            expected="data that grow, or stay",
        )


def check_spreads(prepared: Prepared) -> Iterator[Finding]:
    """Compare every column's missing share and spread with the accepted table's."""
    accepted = prepared.accepted
    for name, old in (accepted.columns if accepted else {}).items():
        if accepted and name in prepared.fields:
            new = measure_spread_like(prepared, name, old)
            yield from _compare_missing(prepared, accepted, name, new)
            yield from _compare_values(prepared, accepted, name, new)


def measure_spread_like(prepared: Prepared, name: str, old: Spread) -> Spread:
    """Return how a column is spread now, counted in the accepted table's parts."""
    cells, column = prepared.frame[name], prepared.fields[name]
    missing = int(cells.isna().sum())
    if column.type in WORDS:
        return Spread(missing=missing, values=old.values, counts=count_words(cells, old.values))
    counts = count_numbers(as_amounts(cells, column), old.edges)
    return Spread(missing=missing, edges=old.edges, counts=counts)


def _compare_missing(
    prepared: Prepared, accepted: Statistics, name: str, new: Spread
) -> Iterator[Finding]:
    old = accepted.columns[name]
    rows = len(prepared.frame)
    tables = (accepted.rows - old.missing, old.missing), (rows - new.missing, new.missing)
    if differ(*tables, compute_level(accepted)):
        yield _make_finding(
            prepared,
            "shift",
            name,
            found=f"{new.missing / max(rows, 1):.1%} of the values are missing, "
            f"{old.missing / max(accepted.rows, 1):.1%} were",
            expected="about as many missing as in the accepted table",
        )


def _compare_values(
    prepared: Prepared, accepted: Statistics, name: str, new: Spread
) -> Iterator[Finding]:
    old = accepted.columns[name]
    if differ(old.counts, new.counts, compute_level(accepted), in_order=not old.values):
        yield _make_finding(
            prepared,
            "shift",
            name,
            found=_describe_largest_move(old, new),
            expected="values spread as in the accepted table",
        )


def compute_level(accepted: Statistics) -> float:
    """Return the level of each test, so that all of them together keep to FALSE_ALARMS."""
    pairs = len(accepted.ranked) * (len(accepted.ranked) - 1) // 2
    return FALSE_ALARMS / (2 * len(accepted.columns) + pairs)


def differ(old: Sequence[int], new: Sequence[int], alpha: float, in_order: bool = False) -> bool:
    """Say whether two rows of counts come from different distributions, and by enough to matter.

    Pearson's chi-squared test of homogeneity; parts in which fewer than FEWEST rows are expected
    are put together, with their neighbours where the parts are in order.
    """
    table = _merge_parts(np.array([old, new], dtype=np.float64), in_order)
    totals = table.sum(axis=1)
    if not totals.all() or table.shape[1] < 2:
        return False
    expected = np.outer(totals, table.sum(axis=0)) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    shares = table / totals[:, None]
    moved = float(np.abs(shares[0] - shares[1]).sum() / 2)
    return moved >= MOVED and chdtrc(table.shape[1] - 1, statistic) < alpha


def _merge_parts(table: Numbers, in_order: bool) -> Numbers:
    """Put together the parts in which fewer than FEWEST rows are expected of the smaller table."""
    totals = table.sum(axis=1)
    if not totals.all():
        return table
    expected = table.sum(axis=0) * totals.min() / table.sum()
    places = (
        _group_neighbours(expected)
        if in_order
        else np.where(expected < FEWEST, -1, np.arange(len(expected)))
    )
    merged = np.column_stack([table[:, places == place].sum(axis=1) for place in np.unique(places)])
    return merged[:, merged.any(axis=0)]


def _group_neighbours(expected: Numbers) -> Numbers:
    """Return for each part the number of the group of neighbours that is large enough with it."""
    groups, total = [], 0.0
    group = 0
    for share in expected:
        groups.append(group)
        total += share
        if total >= FEWEST:
            group, total = group + 1, 0.0
    last = max(group - 1, 0)  # what is left over at the end joins the group before
    return np.minimum(np.array(groups, dtype=np.float64), last)


def check_relations(prepared: Prepared) -> Iterator[Finding]:
    """Compare how columns go together, and in which sense the target goes with them."""
    accepted = prepared.accepted
    if accepted:
        names, matrix = rank_columns(prepared)
        now = pd.DataFrame(matrix, index=names, columns=names)
        yield from _compare_correlations(prepared, accepted, now)
        yield from _compare_sense(prepared, accepted, now)


def _compare_correlations(
    prepared: Prepared, accepted: Statistics, now: Matrix
) -> Iterator[Finding]:
    """Compare Spearman's correlation of each two columns (Bonett and Wright 2000 for its error)."""
    then, alpha = _read_correlations(accepted), compute_level(accepted)
    for one, two in itertools.combinations([name for name in accepted.ranked if name in now], 2):
        old, new = float(then.loc[one, two]), float(now.loc[one, two])
        if _has_changed(old, new, accepted.rows, len(prepared.frame), alpha):
            yield _make_finding(
                prepared,
                "correlation",
                one,
                found=f"its rank correlation with {'the target' if two == TARGET else two} is "
                f"{new:.2f}, and was {old:.2f}",
                expected="columns that go together as in the accepted table",
            )


def _read_correlations(accepted: Statistics) -> Matrix:
    names = list(accepted.ranked)
    values = np.array(accepted.correlations, dtype=np.float64).reshape(len(names), len(names))
    return pd.DataFrame(values, index=names, columns=names)


def _has_changed(old: float, new: float, before: int, rows: int, alpha: float) -> bool:
    if not abs(new - old) >= RELATED or min(before, rows) < 10:  # NaN, too
        return False
    ends = np.clip([old, new], -0.999, 0.999)
    errors = [(1 + rho**2 / 2) / (n - 3) for rho, n in zip(ends, (before, rows), strict=True)]
    distance = abs(np.arctanh(ends[0]) - np.arctanh(ends[1])) / np.sqrt(sum(errors))
    return bool(2 * ndtr(-distance) < alpha)


def _compare_sense(prepared: Prepared, accepted: Statistics, now: Matrix) -> Iterator[Finding]:
    """The target must stand to columns and words as it did: else its labels were exchanged."""
    pairs = [*_pair_columns(accepted, now), *_pair_words(prepared, accepted)]
    old, new = np.array(pairs).reshape(-1, 2).T
    has_sense = len(old) >= MANY or np.abs(old).max(initial=0.0) >= TELLING
    if has_sense and _compute_cosine(old, new) < OPPOSITE:
        yield _make_finding(
            prepared,
            "flipped",
            TARGET,
            found="the target stands to the rest as the opposite of what it was: it seems "
            "flipped or coded anew",
            expected="a target in the sense of the accepted table",
        )


def _pair_columns(accepted: Statistics, now: Matrix) -> Iterator[tuple[float, float]]:
    """Yield the target's correlation with each column that is ranked, then and now."""
    then = _read_correlations(accepted)
    if TARGET in then and TARGET in now:
        shared = [name for name in accepted.ranked if name in now and name != TARGET]
        old, new = (matrix.loc[TARGET, shared].fillna(0.0).tolist() for matrix in (then, now))
        yield from zip(old, new, strict=True)


def _pair_words(prepared: Prepared, accepted: Statistics) -> Iterator[tuple[float, float]]:
    """Yield the target's correlation with each word that went with it, then and now."""
    for name in list_text_columns(prepared):
        now = relate_words(prepared, name)
        for word, correlation in accepted.words.get(name, {}).items():
            yield correlation, now.get(word, 0.0)


def _compute_cosine(one: Numbers, two: Numbers) -> float:
    lengths = np.linalg.norm(one) * np.linalg.norm(two)
    return float(one @ two / lengths) if lengths else 0.0


def check_swaps(prepared: Prepared) -> Iterator[Finding]:
    """Two columns each of which is spread as the other was."""
    away = _measure_distances(prepared)
    for one, two in itertools.combinations(away, 2):
        straight = away.loc[one, one] + away.loc[two, two]
        crossed = away.loc[one, two] + away.loc[two, one]
        if straight > FAR and crossed < SWAPPED * straight:
            yield _make_finding(
                prepared,
                "swapped",
                one,
                found=f"{format_value(one)} is spread as {format_value(two)} was, and "
                f"{format_value(two)} as "
                f"{format_value(one)}: the two seem swapped",
                expected="each column where it was",
            )


def _measure_distances(prepared: Prepared) -> Matrix:
    """Return the share of rows that lie elsewhere, of each column now (rows) to each then.

    Numbers are compared with numbers, and words with words; else it is NaN.
    """
    old = prepared.accepted.columns if prepared.accepted else {}
    names = [name for name in prepared.columns if name in old]
    every = max(1, len(prepared.frame) // SAMPLE)
    rows = prepared.frame.iloc[::every]
    found = {
        then: [_measure_distance(rows[now], prepared.columns[now], old[then]) for now in names]
        for then in names
    }
    return pd.DataFrame(found, index=names, dtype="float64")


def _measure_distance(cells: pd.Series, column: Column, old: Spread) -> float:
    """Return the share of cells that lie elsewhere than those of another column did."""
    if column.type in AMOUNTS and old.edges:
        counts = count_numbers(as_numbers(cells), old.edges)
    elif column.type in WORDS and old.values:
        counts = count_words(cells, old.values)
    else:
        return float("nan")
    shares = [part / max(part.sum(), 1) for part in map(np.array, (old.counts, counts))]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _describe_largest_move(old: Spread, new: Spread) -> str:
    """Say of which part of the values the share changed most."""
    shares = [np.array(spread.counts) / max(sum(spread.counts), 1) for spread in (old, new)]
    place = int(np.abs(shares[1] - shares[0]).argmax())
    part = _describe_part(old, place)
    return f"{part}: {shares[1][place]:.1%} of the values present, {shares[0][place]:.1%} were"


def _describe_part(spread: Spread, place: int) -> str:
    if spread.values:
        return (
            format_value(spread.values[place]) if place < len(spread.values) else "all other values"
        )
    edges = [float(f"{edge:.6g}") for edge in spread.edges]
    if not edges:
        return "all values"
    if place == 0:
        return f"up to {format_value(edges[0])}"
    if place == len(edges):
        return f"above {format_value(edges[-1])}"
    return f"above {format_value(edges[place - 1])} up to {format_value(edges[place])}"


def _make_finding(
    prepared: Prepared, rule: Any, column: str | None, found: str, expected: str
) -> Finding:
    source = prepared.accepted.source if prepared.accepted else ""
    return prepared.make_finding(
        rule,
        column,
        np.zeros(len(prepared.frame), dtype=bool),
        found=found,
        expected=f"{expected} (source {format_value(source)})",
        remedy="see what changed at the source; if it is meant to be so, "
        f"`make set-reference TASK={prepared.task}`",
    )
