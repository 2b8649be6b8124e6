"""A prepared table with its contract: what the checks look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from stages.contract.checks import Checks, ErrorFrom, Verdict
from stages.contract.columns import Column
from stages.contract.split import Split
from stages.contract.target import Target
from stages.shared.equal_rows import has_twins
from stages.shared.frozen import Frozen, Items
from stages.shared.schema import ROW, SPLITS, TARGET
from stages.validating.cells import LISTED, Mask, list_first_values
from stages.validating.findings import Finding
from stages.validating.rules import SEVERITY, Rule, Severity
from stages.validating.spreads import Statistics

PLACE = "_split"


class Unparsed(Frozen):
    """The cells of a column that `prepare` could not read as its type; the first are listed."""

    count: int = 0
    rows: Items[int] = ()
    values: Items[str] = ()


@dataclass(frozen=True)
class Prepared:
    """A prepared table with its contract; made by ``Prepared.from_splits``.

    ``frame`` holds the rows of all splits in the raw table's order, and in ``_split`` which split
    each is in. ``header`` are the raw table's columns, ``ignored`` those that the contract leaves
    out on purpose, ``checks`` the severities that it changes, ``error_from`` the shares from which
    some rules are errors, ``quarantined`` how many rows were taken out for each reason,
    ``accepted`` what the table accepted before was like.
    """

    task: str
    columns: Mapping[str, Column]
    target: Target
    split: Split
    frame: pd.DataFrame
    unparsed: Mapping[str, Unparsed] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    checks: Checks = field(default_factory=dict)
    error_from: ErrorFrom = field(default_factory=ErrorFrom)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    accepted: Statistics | None = None
    source: str = ""

    @classmethod
    def from_splits(cls, parts: Mapping[str, pd.DataFrame], **contract: Any) -> "Prepared":
        """Put the splits, named as in ``SPLITS``, together."""
        sizes = [len(parts[name]) for name in SPLITS]
        frame = pd.concat([parts[name] for name in SPLITS], ignore_index=True)
        frame[PLACE] = pd.Categorical(np.repeat(SPLITS, sizes), categories=SPLITS)
        return cls(frame=frame.sort_values(ROW, kind="stable", ignore_index=True), **contract)

    @cached_property
    def places(self) -> dict[str, Mask]:
        """Which rows are in each split."""
        return {name: (self.frame[PLACE] == name).to_numpy() for name in SPLITS}

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows in each split."""
        return {name: int(inside.sum()) for name, inside in self.places.items()}

    @property
    def fields(self) -> dict[str, Column]:
        """The contract's columns, and the target described in the same way."""
        target = self.target
        if target.labels:
            return {**self.columns, TARGET: Column(type="category", values=target.labels)}
        column = Column(type="number", unit=target.unit, range=target.range)
        return {**self.columns, TARGET: column}

    @cached_property
    def has_twins(self) -> bool:
        """Whether rows are equal by chance, because their columns have few values."""
        has_text = any(column.type == "text" for column in self.columns.values())
        return has_twins(self.frame[list(self.columns)], has_text=has_text)

    def choose_severity(self, rule: Rule, column: str | None, usual: Severity) -> Verdict:
        """Return how serious a finding is: as the column says, else the task, else as usual."""
        declared = self.columns.get(column) if column else None
        own = declared.checks if declared else {}
        return own.get(rule, self.checks.get(rule, usual))

    def locate_key(self, name: str) -> str:
        """Return where in the contract a person finds ``name``."""
        return f"conf/task/{self.task}.yaml: {name}"

    def make_finding(
        self,
        rule: Rule,
        column: str | None,
        bad: Mask,
        *,
        found: str,
        expected: str,
        remedy: str,
        severity: Severity | None = None,
        count: int | None = None,
    ) -> Finding:
        """Describe the rows where ``bad`` holds; ``count`` is their number unless it is given."""
        number = int(bad.sum()) if count is None else count
        return Finding(
            rule=rule,
            severity=severity or SEVERITY[rule],
            column=column,
            found=found,
            expected=expected,
            remedy=remedy,
            count=number,
            share=self.compute_share(number),
            rows=tuple(self.frame.loc[bad, ROW].head(LISTED).tolist()),
            values=list_first_values(self.frame.loc[bad, column]) if column else (),
        )

    def compute_share(self, count: int) -> float:
        """Return ``count`` as a part of all rows."""
        return count / max(len(self.frame), 1)
