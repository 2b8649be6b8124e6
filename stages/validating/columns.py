"""Holds the raw table's columns against the contract's: which are too many, how they are called."""

from collections.abc import Iterator

import numpy as np

from stages.contract.expressions import Expression
from stages.validating.cells import LISTED, Mask, format_value
from stages.validating.findings import Finding
from stages.validating.prepared import Prepared


def check_extra_columns(prepared: Prepared) -> Iterator[Finding]:
    """A column that nothing declares may be new, or another's new name; the contract decides."""
    known = {*prepared.columns, *prepared.ignored, *_list_used_otherwise(prepared)}
    for name in prepared.header:
        if name.strip() and name.strip() not in known:
            yield prepared.make_finding(
                "extra",
                None,
                _mark_no_rows(prepared),
                found=f"the table has a column {format_value(name)!r} that the contract does not "
                "name",
                expected="only columns that are declared, or left out on purpose",
                remedy=f"declare it in {prepared.locate_key('columns')}, or list it under "
                "`ignored` there",
            )


def check_column_names(prepared: Prepared) -> Iterator[Finding]:
    """Blanks around names are no part of them, but programs less careful think so.

    Where one follows every delimiter, that is how the file is written.
    """
    names = prepared.header
    spaced = len(names) > 1 and all(name[:1] == " " != name[1:2] for name in names[1:])
    written = [name.removeprefix(" ") for name in names] if spaced else names
    bad = [
        f"column {place} is called {format_value(name)!r}"
        for place, name in enumerate(written, 1)
        if not name or name != " ".join(name.split())
    ]
    if bad:
        more = f", and {len(bad) - LISTED} more" if len(bad) > LISTED else ""
        yield prepared.make_finding(
            "blank_name",
            None,
            _mark_no_rows(prepared),
            found="; ".join(bad[:LISTED]) + more,
            expected="names without blanks around them or double ones in them",
            remedy="rename in the source; a column without a name may be a row number or a "
            "delimiter too many: take it out",
        )


def _list_used_otherwise(prepared: Prepared) -> set[str]:
    time, group = prepared.split.time, prepared.split.group
    by = {time.column} if time else {group} if group else set()
    return {*Expression.parse(prepared.target.expression).names, *filter(None, by)}


def _mark_no_rows(prepared: Prepared) -> Mask:
    return np.zeros(len(prepared.frame), dtype=bool)
