"""What a report says: the types of ``monitoring.json``, format 1."""

from typing import Literal

from stages.monitoring.calibration import PowerCard
from stages.monitoring.effects import Effects
from stages.shared.frozen import Frozen, Items

Verdict = Literal["ok", "warn", "alarm", "not judged"]
Severity = Literal["alarm", "warn"]
Direction = Literal["more", "less", "other"]
Group = Literal["quality", "inputs", "relations", "answers", "outcomes"]


class Estimate(Frozen):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


class Harm(Frozen):
    """What a column's drift does to the loss, as a share of the reference's; 0 is nothing.

    ``if_real``: if what the column says is so, and rows with such values are now more.
    ``if_faulty``: if the values are wrong, and the answers with them. None: it cannot be told.
    """

    if_real: Estimate | None
    if_faulty: Estimate | None

    @property
    def worst(self) -> float:
        """The larger of the two values."""
        return max((e.value for e in (self.if_real, self.if_faulty) if e), default=0.0)

    def is_ruled_out(self, harmless: float) -> bool:
        """Say whether more than a ``harmless`` rise of the loss is ruled out, either way."""
        known = [estimate for estimate in (self.if_real, self.if_faulty) if estimate]
        return bool(known) and all(estimate.high <= harmless for estimate in known)


class Sign(Frozen):
    """One statistic that is beyond the threshold, and how often a sound check has such a one."""

    statistic: str
    direction: Direction
    size: float
    probability: float


class Finding(Frozen):
    """One thing that is other than in the reference, the most harmful first.

    ``found`` is its strongest sign in words, ``also`` are others. ``probability`` is how often a
    whole check of a sound window finds anything as strong.
    """

    group: Group
    column: str | None
    severity: Severity
    found: str
    probability: float
    also: Items[str] = ()
    harm: Harm | None = None
    signs: Items[Sign] = ()


class ColumnReport(Frozen):
    """One watched part of the table: how far it is from the reference, found or not.

    ``probability`` belongs to the strongest statistic of this part, over the whole check.
    """

    part: str
    probability: float
    missing_before: float
    missing: float
    effects: Effects | None = None


class Score(Frozen):
    """A figure of the model on the reference (out of fold) and on the window's labelled rows."""

    name: str
    reference: float | None
    window: Estimate | None


class Outcomes(Frozen):
    """What is known of the truth; without labels an estimate, and said to be one.

    ``coverage`` is the share of the window's rows that have a label. ``error_rate`` is an interval
    that holds however often one looks (of wrong answers, or of errors above the reference's 90 %
    quantile); ``allowed`` the rate that the reference does not rule out; ``alarm_after`` the number
    of labelled rows after which errors were too many.
    """

    labelled: int
    coverage: float
    scores: Items[Score] = ()
    expected_loss: Estimate | None = None
    reference_loss: float | None = None
    error_rate: Items[float] = ()
    allowed: float | None = None
    alarm_after: int | None = None


class Report(Frozen):
    """A whole ``monitoring.json``.

    ``compared`` rows of the window's were held against the reference. ``reason`` says why a window
    is not judged, and what would do. ``guarantee`` says what the budget holds for.
    """

    format: Literal[1] = 1
    task: str
    version: str | None
    verdict: Verdict
    reason: str | None = None
    rows: int
    compared: int
    reference_rows: int
    statistics: int
    budget: float
    guarantee: str
    findings: Items[Finding] = ()
    columns: Items[ColumnReport] = ()
    outcomes: Outcomes | None = None
    power: PowerCard | None = None
