"""The rules that `validate` holds a table against, and how serious breaking each one is.

A contract may change that, for the task or for one column: ``checks: { range: warn, leak: off }``.
"""

from collections.abc import Mapping
from typing import Literal

from stages.contract.checks import Checks
from stages.contract.columns import Column
from stages.shared.errors import PipelineError

Severity = Literal["error", "warn"]
Rule = Literal[
    "rows", "leakage", "leak", "follows", "empty", "target_missing", "target_classes",
    "target_range", "flipped", "type", "missing", "missing_share", "values", "range", "length",
    "swapped", "units", "sentinel", "mojibake", "label_in_text", "identifier", "constant",
    "dominant", "shift", "correlation", "row_count", "conflicts", "duplicates", "quarantined",
    "extra", "blank_name",
]  # fmt: skip
# How serious breaking each rule is, and what breaks it. An error stops the run; the most serious
# rule comes first.
RULES: dict[Rule, tuple[Severity, str]] = {
    "rows": ("error", "a split without rows, or (a warning) with few"),
    "leakage": (
        "error",
        "the same inputs in two splits; a warning below `error_from.leakage` of the rows",
    ),
    "leak": (
        "error",
        "a column that alone tells the target; a warning below `error_from.leak` of it",
    ),
    "follows": (
        "error",
        "a target that follows from columns by a formula; a warning below `error_from.follows`",
    ),
    "empty": ("error", "a column without a value (a warning where each may be missing)"),
    "target_missing": ("error", "a row without a target"),
    "target_classes": ("error", "an undeclared class, or a declared one that has no rows"),
    "target_range": ("error", "a number to predict that is out of bounds, or infinite"),
    "flipped": ("error", "the target stands to the columns as the accepted one's opposite"),
    "type": ("error", "cells that are not of their column's type"),
    "missing": ("error", "a missing value where the contract forbids it"),
    "missing_share": (
        "error",
        "more missing values than allowed; a warning above one half",
    ),
    "values": ("error", "a category that is not declared"),
    "range": ("error", "a number out of bounds, or infinite"),
    "length": ("error", "a text shorter or longer than declared"),
    "swapped": ("warn", "two columns that look like one another's"),
    "units": (
        "warn",
        "one column in two units; a target in two: an error from `error_from.units`",
    ),
    "sentinel": ("warn", "a number that seems to stand for missing"),
    "mojibake": ("warn", "text that was decoded wrongly, or holds control characters"),
    "label_in_text": ("warn", "a word that gives the class away"),
    "identifier": ("warn", "a column with another value in each row"),
    "constant": ("warn", "a column with one value only"),
    "dominant": ("warn", "a column with one value nearly everywhere"),
    "shift": ("warn", "a column spread otherwise than in the accepted table"),
    "correlation": ("warn", "two columns related otherwise than there"),
    "row_count": ("warn", "fewer rows than half of the accepted ones"),
    "conflicts": (
        "warn",
        "equal inputs, different targets; an error from `error_from.conflicts` of the rows, where "
        "inputs are not equal by chance",
    ),
    "duplicates": ("warn", "equal rows"),
    "quarantined": ("warn", "rows that were taken out because they break the contract"),
    "extra": ("warn", "a column that the contract neither uses nor lists under `ignored`"),
    "blank_name": ("warn", "a column's name with blanks around it, or none"),
}
SEVERITY: dict[Rule, Severity] = {rule: severity for rule, (severity, _) in RULES.items()}


def check_rules(checks: Checks, columns: Mapping[str, Column], file: str) -> None:
    """Raise PipelineError where a task's ``checks`` or a column's name a rule that is none."""
    _check_names(checks, f"{file}: checks")
    for name, column in columns.items():
        _check_names(column.checks, f"{file}: columns.{name}.checks")


def _check_names(checks: Checks, where: str) -> None:
    for name, verdict in checks.items():
        if name not in SEVERITY:
            raise PipelineError(
                f"{where}.{name} = {verdict!r}: there is no such rule; the rules are "
                + ", ".join(SEVERITY)
            )
