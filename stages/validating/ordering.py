"""Orders findings by what they cost, so that a screen shows the dearest."""

from collections import Counter
from collections.abc import Sequence

from stages.validating.findings import Finding
from stages.validating.rules import SEVERITY, Rule

# What breaking a rule does to every later number, in each row concerned: 1 unless said here.
WEIGHT: dict[Rule, float] = {
    "leakage": 3.0, "leak": 3.0, "follows": 3.0, "flipped": 3.0, "label_in_text": 2.0,
    "duplicates": 2.0, "conflicts": 2.0, "quarantined": 2.0, "rows": 2.0, "units": 2.0,
    "missing_share": 0.5, "constant": 0.1, "dominant": 0.1, "identifier": 0.5, "extra": 0.3,
    "blank_name": 0.01,
}  # fmt: skip
WHOLE = 0.5  # share that a finding counts for which is of no rows, but of a column or the table


def order_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Return errors by rule, as each has to be mended, then warnings by what they cost.

    Further warnings of a rule come after the first of each: ten columns that hardly vary say less
    than one line on copies in half of the table.
    """
    order = list(SEVERITY)
    errors = [finding for finding in findings if finding.severity == "error"]
    others = [finding for finding in findings if finding.severity != "error"]
    errors.sort(key=lambda finding: (order.index(finding.rule), -finding.share))
    others.sort(key=lambda finding: (-_cost(finding), order.index(finding.rule)))
    seen: Counter[Rule] = Counter()
    firsts, further = list[Finding](), list[Finding]()
    for finding in others:
        (further if seen[finding.rule] else firsts).append(finding)
        seen[finding.rule] += 1
    return [*errors, *firsts, *further]


def _cost(finding: Finding) -> float:
    return WEIGHT.get(finding.rule, 1.0) * (finding.share if finding.count else WHOLE)
