"""Holds a prepared table against its contract: one function for each rule, no file touched.

Plain pandas instead of pandera: importing pandera costs three times the CPU that its range and
value checks take here on a million rows, on those it is 3 to 12 times slower, and each of its
messages would have to be written again.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from stages.contract.columns import Column
from stages.contract.expressions import Expression
from stages.contract.target import Target
from stages.contract.types import ColumnType
from stages.shared.equal_rows import Codes, find_mixed, number_rows, refine_codes
from stages.shared.heuristics import SENTINELS
from stages.shared.schema import ROW, SPLITS, TARGET
from stages.validating.cells import LISTED, Mask, Numbers, as_numbers, format_value
from stages.validating.columns import check_column_names, check_extra_columns
from stages.validating.distribution import (
    check_relations,
    check_row_count,
    check_spreads,
    check_swaps,
)
from stages.validating.findings import Finding
from stages.validating.leakage import check_formulas, check_groups, check_leaks, check_split_overlap
from stages.validating.ordering import order_findings
from stages.validating.prepared import Prepared, Unparsed
from stages.validating.rules import SEVERITY, Rule
from stages.validating.spellings import stands_for_missing, suggest_spelling
from stages.validating.texts import check_decoding, check_labels_in_text, check_lengths
from stages.validating.values import (
    check_dominant,
    check_identifiers,
    check_missing_shares,
    check_sentinels,
    check_units,
    suggest_swap,
    suggest_unit,
)

FEW_ROWS = 20  # in a split
UNEVEN = 0.05  # of all rows, by which a split may differ from what was asked
DEVIATIONS = 4.0  # standard ones, by which it may in any case
NAMED = 20  # declared values that a message lists
CLOSE = 0.75  # likeness (difflib) from which a spelling is suggested
READABLE = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "datetime": "a date or time as in 2024-05-31 or 2024-05-31T23:59:00Z",
    "category": "text",
    "text": "text",
}
Check = Callable[[Prepared], Iterator[Finding]]


def run_checks(prepared: Prepared) -> list[Finding]:
    """Run all checks; errors come first, then what costs most."""
    found = [finding for check in CHECKS for finding in check(prepared)]
    return order_findings(
        [weighed for finding in found if (weighed := _apply_severity(prepared, finding))]
    )


def _apply_severity(prepared: Prepared, finding: Finding) -> Finding | None:
    """Return the finding as serious as the contract takes it, or None where it is off."""
    verdict = prepared.choose_severity(finding.rule, finding.column, finding.severity)
    if verdict == "off":
        return None
    return finding.model_copy(update={"severity": verdict})


def check_quarantine(prepared: Prepared) -> Iterator[Finding]:
    """Rows that `prepare` took out because they break the contract."""
    count = prepared.quarantined.get("rows", 0)
    if count:
        reasons = {name: number for name, number in prepared.quarantined.items() if name != "rows"}
        told = ", ".join(f"{reason} ({number:,})" for reason, number in reasons.items())
        yield prepared.make_finding(
            "quarantined",
            None,
            np.zeros(len(prepared.frame), dtype=bool),
            count=count,
            found=f"{count:,} rows break the contract and were set aside: {told}",
            expected="rows that keep to the contract",
            remedy=f"see data/prepared/{prepared.task}/quarantine.csv, and mend the source",
        )


def check_split_sizes(prepared: Prepared) -> Iterator[Finding]:
    """A split without rows is an error; one of few rows, or of a share not asked, a warning."""
    yield from _find_uneven_splits(prepared)
    for place, rows in prepared.rows.items():
        if rows < FEW_ROWS:
            yield prepared.make_finding(
                "rows",
                None,
                prepared.places[place],
                severity="warn" if rows else "error",
                found=f"{place} has {rows or 'no'} row{'' if rows == 1 else 's'}",
                expected=f"{FEW_ROWS} rows or more in each split",
                remedy=f"bring more rows, or change {prepared.locate_key('split')}",
            )


def _find_uneven_splits(prepared: Prepared) -> Iterator[Finding]:
    """Splits whose shares are far from those asked: equal rows, or groups, are dealt as one."""
    asked = {"validation": prepared.split.validation, "test": prepared.split.test}
    total = len(prepared.frame)
    shares = {place: prepared.rows[place] / max(total, 1) for place in asked}
    far = [
        place
        for place in asked
        if prepared.rows[place] >= FEW_ROWS  # of fewer another finding tells
        and abs(shares[place] - asked[place]) > _allow(asked[place], total)
    ]
    if far and not prepared.split.time:
        words = ", ".join(f"{place} has {shares[place]:.1%} of the rows" for place in far)
        group = prepared.split.group
        cause = f"groups of {group}" if group else "rows with the same inputs"
        yield prepared.make_finding(
            "rows",
            None,
            np.zeros(total, dtype=bool),
            severity="warn",
            found=f"{words}: {cause} are dealt as one, and some are large",
            expected=" and ".join(f"{asked[place]:.0%} for {place}" for place in far),
            remedy=f"see whether {cause} belong together, or try another seed in "
            f"{prepared.locate_key('split')}",
        )


def _allow(share: float, rows: int) -> float:
    """Return how far a split's share may be off by chance."""
    return max(UNEVEN, DEVIATIONS * float(np.sqrt(share * (1 - share) / max(rows, 1))))


def check_types(prepared: Prepared) -> Iterator[Finding]:
    """Cells that `prepare` could not read as the type of their column."""
    for name, cells in prepared.unparsed.items():
        kind = _find_type(prepared, name)
        key = "target.expression" if name == TARGET else f"columns.{name}.type"
        yield Finding(
            rule="type",
            severity=SEVERITY["type"],
            column=name,
            found=f"{_format_count(cells.count, prepared)} cannot be read as {kind}",
            expected=READABLE[kind],
            remedy=suggest_spelling(cells.values, kind)
            or "correct the source, or list what stands for a missing value under `missing` "
            f"of the source, or change {prepared.locate_key(key)}",
            count=cells.count,
            share=prepared.compute_share(cells.count),
            rows=cells.rows[:LISTED],
            values=tuple(format_value(value) for value in cells.values[:LISTED]),
        )


def _find_type(prepared: Prepared, name: str) -> ColumnType:
    """Return the type that cells were read as: a formula with numbers in it reads numbers."""
    expression = Expression.parse(prepared.target.expression)
    if name == TARGET and not expression.column and expression.wanted_text is None:
        return "number"
    return prepared.fields[name].type


def check_empty_columns(prepared: Prepared) -> Iterator[Finding]:
    """A column that may lack values and lacks them all says so; another stops the run.

    A column whose cells did not parse is left to the rule `type`.
    """
    train = prepared.places[SPLITS[0]]
    for name, column in prepared.columns.items():
        missing = prepared.frame[name].isna().to_numpy()
        if name not in prepared.unparsed and train.any() and missing[train].all():
            yield prepared.make_finding(
                "empty",
                name,
                missing if missing.all() else train,
                severity="error" if column.missing == "forbidden" else "warn",
                found=f"there is no value {'at all' if missing.all() else 'in train'}",
                expected="values to learn from",
                remedy="fill the column, or take it out of "
                f"{prepared.locate_key(f'columns.{name}')}",
            )


def check_missing(prepared: Prepared) -> Iterator[Finding]:
    """Missing values in a column where the contract forbids them."""
    for name, column in prepared.columns.items():
        count, missing = _count_missing(prepared, name)
        if column.missing == "forbidden" and 0 < count < len(prepared.frame):
            yield prepared.make_finding(
                "missing",
                name,
                missing,
                count=count,
                found=f"{_format_count(count, prepared)} {_choose_verb(count)} missing",
                expected="a value in every row",
                remedy="fill the gaps, or write `allowed` in "
                + prepared.locate_key(f"columns.{name}.missing"),
            )


def check_target_present(prepared: Prepared) -> Iterator[Finding]:
    """Rows without a target: no model learns from them."""
    count, missing = _count_missing(prepared, TARGET)
    if count:
        yield prepared.make_finding(
            "target_missing",
            TARGET,
            missing,
            count=count,
            found=f"{_format_count(count, prepared)} {_choose_verb(count)} missing",
            expected="a target in every row",
            remedy="take these rows out of the source, or change "
            + prepared.locate_key("target.expression"),
        )


def check_ranges(prepared: Prepared) -> Iterator[Finding]:
    """Numbers out of the range that their column declares, in its unit, or infinite."""
    for name, column in prepared.columns.items():
        if column.type in ("number", "integer"):
            yield from _find_out_of_range(prepared, "range", name, column, f"columns.{name}.range")


def check_target_range(prepared: Prepared) -> Iterator[Finding]:
    """Numbers to predict that are out of the target's range, or infinite."""
    if prepared.target.problem == "regression":
        yield from _find_out_of_range(
            prepared, "target_range", TARGET, prepared.target, "target.range"
        )


def _find_out_of_range(
    prepared: Prepared, rule: Rule, name: str, declared: Column | Target, key: str
) -> Iterator[Finding]:
    """An infinite number is out of every range, also where none is declared."""
    numbers = as_numbers(prepared.frame[name])
    low, high = declared.range or (-np.inf, np.inf)
    below, above = (numbers < low) | np.isneginf(numbers), (numbers > high) | np.isposinf(numbers)
    count = int((below | above).sum())
    if count:
        yield prepared.make_finding(
            rule,
            name,
            below | above,
            found=f"{_format_count(count, prepared)} {_choose_verb(count)} out of range: "
            f"{below.sum():,} below, {above.sum():,} above",
            expected=_format_bounds(low, high, declared.unit)
            if declared.range
            else "finite numbers",
            remedy="; ".join(
                [
                    *_suggest_range_causes(prepared, name, numbers, below | above),
                    "correct the source",
                ]
            )
            + f", or change {prepared.locate_key(key)}",
        )


def _suggest_range_causes(prepared: Prepared, name: str, numbers: Numbers, bad: Mask) -> list[str]:
    """Say what values out of range may be: another unit, another column, a mark for missing."""
    declared = prepared.fields[name].range
    outside = numbers[bad & np.isfinite(numbers)]
    if declared is None or not len(outside):
        return []
    marks = [value for value in np.unique(outside) if value in {*SENTINELS, 0.0}]
    if len(marks) == 1 and len(np.unique(outside)) == 1:
        return [
            f"if {format_value(marks[0])} stands for missing, list it under `missing_in` of the "
            "source"
        ]
    swap = suggest_swap(prepared, name) if name in prepared.columns else ""
    inside = numbers[~bad & np.isfinite(numbers)]
    unit = prepared.fields[name].unit
    return list(filter(None, [swap or suggest_unit(outside, inside, unit)]))


def check_values(prepared: Prepared) -> Iterator[Finding]:
    """Categories that their column does not declare."""
    for name, column in prepared.columns.items():
        if column.type == "category":
            key = f"columns.{name}.values"
            yield from _find_undeclared(prepared, "values", name, column.tokens, column.tokens, key)


def check_classes(prepared: Prepared) -> Iterator[Finding]:
    """Classes that the target does not declare."""
    labels, classes = prepared.target.labels, prepared.target.classes
    if classes:
        known = [*labels, *classes]
        yield from _find_undeclared(
            prepared, "target_classes", TARGET, labels, known, "target.classes"
        )


def _find_undeclared(
    prepared: Prepared, rule: Rule, name: str, tokens: Sequence[str], known: Sequence[str], key: str
) -> Iterator[Finding]:
    """``tokens`` are what the column may hold, ``known`` the spellings to suggest."""
    column = prepared.frame[name]
    bad = (column.notna() & ~column.isin(tokens)).to_numpy()
    count, different = int(bad.sum()), column[bad].drop_duplicates()
    if count:
        hints = filter(
            None, (_suggest_declared(str(value), known) for value in different.head(LISTED))
        )
        yield prepared.make_finding(
            rule,
            name,
            bad,
            found=f"{_format_count(count, prepared)} {_choose_verb(count)} not declared"
            + (
                f" ({len(different):,} different: {_format_counts(column[bad])})"
                if len(different) > 1
                else ""
            ),
            expected=f"one of {_list_tokens(tokens)}",
            remedy="; ".join(
                [
                    "correct the source",
                    *hints,
                    *_suggest_missing(prepared, name, different),
                    f"or add it to {prepared.locate_key(key)}",
                ]
            ),
        )


def _suggest_missing(prepared: Prepared, name: str, different: pd.Series) -> Iterator[str]:
    """Say of known marks for missing where to list them: they are no value of a category."""
    marks = [value for value in map(str, different) if stands_for_missing(value)]
    if marks:
        listed = ", ".join(f'"{value}"' for value in marks[:LISTED])
        column = _find_column(prepared, name)
        yield (
            f"where {listed} stands for missing, list it under `missing_in: {{ {column}: … }}` of "
            "the source"
        )


def _find_column(prepared: Prepared, name: str) -> str:
    """Return a column's name in the table, where the target is a single one, too."""
    return (
        (Expression.parse(prepared.target.expression).column or "the column")
        if name == TARGET
        else name
    )


def check_two_classes(prepared: Prepared) -> Iterator[Finding]:
    """A target of which every row has the same class."""
    present = prepared.frame[TARGET].dropna().unique()
    if prepared.target.classes and len(present) == 1:
        yield prepared.make_finding(
            "target_classes",
            TARGET,
            prepared.frame[TARGET].notna().to_numpy(),
            found=f"every row is of the class {format_value(present[0])}",
            expected="rows of two classes or more",
            remedy="bring rows of the others, or change "
            f"{prepared.locate_key('target.expression')} "
            "or target.classes",
        )


def check_every_class(prepared: Prepared) -> Iterator[Finding]:
    """A declared class without any row is an error; one that a split lacks is a matter of luck."""
    target = prepared.frame[TARGET]
    parts = {name: target[inside] for name, inside in prepared.places.items() if inside.any()}
    labels = prepared.target.labels
    lacking = {label: [n for n, part in parts.items() if (part != label).all()] for label in labels}
    several = bool(labels) and target.nunique() > 1  # else `two_classes` has said it
    for label, places in lacking.items():
        if places and several:
            yield prepared.make_finding(
                "target_classes",
                TARGET,
                np.zeros(len(target), dtype=bool),
                severity="error" if len(places) == len(parts) else "warn",
                found=f"no row of the class {format_value(label)} in {' and '.join(places)}",
                expected="rows of every declared class in each split",
                remedy=f"bring more rows of it, or change {prepared.locate_key('target.classes')}",
            )


def check_constant(prepared: Prepared) -> Iterator[Finding]:
    """A constant column is of no use; a constant number to predict leaves nothing to learn."""
    for name in prepared.fields:
        present = prepared.frame[name].dropna()
        if name == TARGET and prepared.target.classes:
            continue  # `two_classes` tells it
        if present.nunique() == 1 and not _is_flag(prepared, name, present):
            yield prepared.make_finding(
                "constant",
                name,
                prepared.frame[name].notna().to_numpy(),
                severity="error" if name == TARGET else "warn",
                found=f"every value present is {format_value(present.iloc[0])}",
                expected="numbers that vary: there is nothing to learn"
                if name == TARGET
                else "a column that varies: this one tells the models nothing",
                remedy=f"see {prepared.locate_key('target.expression')}"
                if name == TARGET
                else f"take it out of {prepared.locate_key(f'columns.{name}')}",
            )


def _is_flag(prepared: Prepared, name: str, present: pd.Series) -> bool:
    """Say whether a category is its one value or blank, and that it is blank tells something."""
    declared = prepared.fields[name]
    blank = len(prepared.frame) - len(present)
    return declared.type == "category" and declared.missing == "allowed" and blank > 0


def check_duplicates(prepared: Prepared) -> Iterator[Finding]:
    """Compare rows with one another: numbering equal ones is costly, so it is done once."""
    cells = prepared.frame[list(prepared.columns)]
    inputs, told = (
        number_rows(cells),
        cells.notna().any(axis=1).to_numpy(),
    )  # empty ones are no case
    yield from _find_conflicts(prepared, inputs, told)
    yield from _find_duplicates(prepared, inputs, told)


def _find_conflicts(prepared: Prepared, inputs: Codes, told: Mask) -> Iterator[Finding]:
    known = told & prepared.frame[TARGET].notna().to_numpy()
    targets, _ = pd.factorize(prepared.frame.loc[known, TARGET])
    bad = np.zeros(len(known), dtype=bool)
    bad[known] = find_mixed(inputs[known], targets.astype(np.int64))
    if bad.any():
        is_wrong = bad.mean() >= prepared.error_from.conflicts and not prepared.has_twins
        yield prepared.make_finding(
            "conflicts",
            None,
            bad,
            severity="error" if is_wrong else "warn",
            found=f"{bad.sum():,} rows have the inputs of another row, but not its target",
            expected="one target for the same inputs: no model can get all of these right",
            remedy="see whether the source is wrong there, or a column that tells them apart is "
            f"lacking in {prepared.locate_key('columns')}",
        )


def _find_duplicates(prepared: Prepared, inputs: Codes, told: Mask) -> Iterator[Finding]:
    content = refine_codes(inputs, prepared.frame[TARGET])
    bad = told & pd.Series(content).duplicated().to_numpy()
    if bad.any():
        count = int(bad.sum())
        yield prepared.make_finding(
            "duplicates",
            None,
            bad,
            found=f"{count:,} row{' repeats' if count == 1 else 's repeat'} an earlier one, "
            "the target included",
            expected="each case once: copies stay in one split, but count as often as they come",
            remedy="remove them from the source where they are not cases of their own",
        )


CHECKS: tuple[Check, ...] = (
    check_extra_columns,
    check_column_names,
    check_quarantine,
    check_split_sizes,
    check_empty_columns,
    check_target_present,
    check_classes,
    check_two_classes,
    check_every_class,
    check_target_range,
    check_types,
    check_missing,
    check_values,
    check_ranges,
    check_missing_shares,
    check_lengths,
    check_decoding,
    check_sentinels,
    check_units,
    check_constant,
    check_dominant,
    check_identifiers,
    check_leaks,
    check_formulas,
    check_labels_in_text,
    check_split_overlap,
    check_groups,
    check_swaps,
    check_spreads,
    check_relations,
    check_row_count,
    check_duplicates,
)


def _count_missing(prepared: Prepared, name: str) -> tuple[int, Mask]:
    """Return how many cells were missing from the start, and where.

    A cell that did not parse is missing, too, but told by the rule `type`. `prepare` lists the
    first of those: where there are more, rows after the last one listed are left out.
    """
    missing = prepared.frame[name].isna().to_numpy()
    cells = prepared.unparsed.get(name, Unparsed())
    rows = prepared.frame[ROW].to_numpy()
    sure = rows <= cells.rows[-1] if cells.count > len(cells.rows) else np.full(len(rows), True)
    return int(missing.sum()) - cells.count, missing & sure & ~np.isin(rows, cells.rows)


def _suggest_declared(value: str, known: Sequence[str]) -> str:
    """Return the declared spelling that ``value`` may stand for, in a sentence, or nothing."""
    folded = {_fold_spelling(token): token for token in known}
    same = folded.get(_fold_spelling(value))
    if same:
        return f"'{format_value(value)}' is '{format_value(same)}' but for case or blanks"
    close = difflib.get_close_matches(_fold_spelling(value), folded, n=1, cutoff=CLOSE)
    is_word = any(character.isalpha() for character in value)  # 10 is no misspelled 100
    return (
        f"'{format_value(value)}' looks like '{format_value(folded[close[0]])}'"
        if close and is_word
        else ""
    )


def _format_counts(cells: pd.Series) -> str:
    """Return the most frequent spellings with their counts."""
    counts = cells.value_counts().head(LISTED)
    return ", ".join(f"{format_value(value)} x {count:,}" for value, count in counts.items())


def _list_tokens(tokens: Sequence[str]) -> str:
    first = [format_value(token) for token in tokens[:NAMED]]
    return ", ".join(first) + (f" and {len(tokens) - NAMED} more" if len(tokens) > NAMED else "")


def _fold_spelling(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text.casefold()).strip()


def _format_bounds(low: float, high: float, unit: str | None) -> str:
    times = "times " if unit and unit[0].isdigit() else ""  # a unit such as `10000 US dollars`
    return f"{format_value(low)} to {format_value(high)} {times}{unit or ''}".strip()


def _format_count(count: int, prepared: Prepared) -> str:
    return f"{count:,} of {len(prepared.frame):,} values"


def _choose_verb(count: int) -> str:
    return "is" if count == 1 else "are"
