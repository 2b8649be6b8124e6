"""Holds the raw table's columns against the contract's: which are too many, how they are called."""

from collections.abc import Iterator

import numpy as np

from stages.core.expressions import Expression
from stages.validating.findings import Finding, Mask, Prepared, shown


def expected_columns(prepared: Prepared) -> Iterator[Finding]:
    """A column that nothing declares may be new, or another's new name; the contract decides."""
    known = {*prepared.columns, *prepared.ignored, *_used_otherwise(prepared)}
    for name in prepared.header:
        if name and name not in known:
            yield prepared.finding(
                "extra",
                None,
                _nowhere(prepared),
                found=f"the table has a column {shown(name)!r} that the contract does not name",
                expected="only columns that are declared, or left out on purpose",
                remedy=f"declare it in {prepared.key('columns')}, or list it under `ignored` there",
            )


def clean_names(prepared: Prepared) -> Iterator[Finding]:
    for place, name in enumerate(prepared.header, 1):
        if not name or name != " ".join(name.split()):
            yield prepared.finding(
                "blank_name",
                None,
                _nowhere(prepared),
                found=f"column {place} of the table is called {shown(name)!r}",
                expected="a name without blanks around it or double ones in it",
                remedy="rename it in the source" + ("" if name else ", or take it out"),
            )


def _used_otherwise(prepared: Prepared) -> set[str]:
    time, group = prepared.split.time, prepared.split.group
    by = {time.column} if time else {group} if group else set()
    return {*Expression.parse(prepared.target.expression).names, *filter(None, by)}


def _nowhere(prepared: Prepared) -> Mask:
    return np.zeros(len(prepared.frame), dtype=bool)
