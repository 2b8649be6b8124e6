"""Tells what validation found: as JSON for programs, as a page to read, and on the terminal."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, StrictUndefined

from stages.shared.frozen import Frozen, Items
from stages.shared.schema import SPLITS, TARGET
from stages.validating.cells import shown
from stages.validating.findings import Finding
from stages.validating.prepared import Prepared
from stages.validating.profiles import ALL, Plain, Profile, plain, profiles

TEMPLATE = Path(__file__).with_name("report.html.jinja")
SCREEN = 24  # lines
LINE = 100  # characters
HEIGHT, LEAST = 40.0, 0.8  # of a plot, and of a bar that stands for anything at all


class Report(Frozen):
    """``validation.json``, format 2.

    ``rows`` counts each split's rows; ``findings`` come the most serious first (see ``Finding``);
    ``columns`` profiles every column of the contract and ``_target`` (see ``Profile``). Nothing in
    it depends on when or where it was made.
    """

    format: Literal[2] = 2
    task: str
    verdict: Literal["passed", "failed"]
    rows: dict[str, int]
    findings: Items[Finding]
    columns: dict[str, Profile]

    @classmethod
    def of(cls, prepared: Prepared, findings: Sequence[Finding]) -> "Report":
        """Errors fail the table; warnings do not."""
        return cls(
            task=prepared.task,
            verdict="failed" if errors(findings) else "passed",
            rows=prepared.rows,
            findings=tuple(findings),
            columns=profiles(prepared),
        )


def errors(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


def summary(report: Report) -> str:
    """Return the findings counted in words, e.g. ``2 errors and 1 warning in 303 rows``."""
    wrong = len(errors(report.findings))
    warnings = len(report.findings) - wrong
    counts = [_count(wrong, "error")] if wrong or not warnings else []
    counts += [_count(warnings, "warning")] if warnings else []
    return f"{' and '.join(counts)} in {_count(sum(report.rows.values()), 'row')}"


def on_screen(findings: Sequence[Finding], where: Path) -> str:
    """Return as many findings as a screen holds, and where to read the others."""
    lines: list[str] = []
    for told, finding in enumerate(findings):
        block = _block(finding)
        if len(lines) + len(block) >= SCREEN:
            lines.append(f"… and {len(findings) - told} more: see {where}")
            break
        lines += block
    return "".join(f"{line}\n" for line in lines)


def _block(finding: Finding) -> list[str]:
    values = ": " + ", ".join(f"'{it}'" for it in finding.values) if finding.values else ""
    rows = f" (row{'s' if finding.count != 1 else ''} {listed(finding)})" if finding.rows else ""
    first = f"{finding.severity:5}  {name(finding.column)} · {finding.rule}: {finding.found}"
    text = [f"{first}{values}{rows}", f"       expected: {finding.expected}; {finding.remedy}"]
    wrap = textwrap.TextWrapper(LINE, subsequent_indent=" " * 7, break_on_hyphens=False)
    return [line for part in text for line in wrap.wrap(part)]


def listed(finding: Finding) -> str:
    """Return the rows of a finding, with dots where they are not all."""
    more = ", …" if finding.count > len(finding.rows) else ""
    return ", ".join(map(str, finding.rows)) + more


def name(column: str | None) -> str:
    """Return how a person calls what a finding is about."""
    return {None: "whole rows", TARGET: "target"}.get(column) or shown(column)


def page(report: Report, title: str, prepared: Prepared) -> str:
    """Return the report as one HTML page that loads nothing from elsewhere.

    Whatever comes from the data is escaped by the template engine.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "name": name, "listed": listed, "shown": shown, "percent": percent, "measure": measure
    }  # fmt: skip
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        report=report,
        title=title,
        summary=summary(report),
        places=(ALL, *SPLITS),
        columns=[
            {
                "name": name(column),
                "profile": profile,
                "contract": prepared.fields[column],
                "faults": [it for it in report.findings if it.column == column],
                "bars": bars(profile),
                "ends": ends(profile),
            }
            for column, profile in report.columns.items()
        ],
        anchors={column: f"column-{i}" for i, column in enumerate(report.columns)},
        expression=prepared.target.expression,
        compared=compared(prepared),
        ignored=[shown(it) for it in prepared.ignored],
    )


def compared(prepared: Prepared) -> str:
    """Say which accepted table this one was held against, if any."""
    accepted = prepared.accepted
    if not accepted:
        return f"No earlier table is accepted yet: make set-reference TASK={prepared.task}."
    rows = _count(accepted.rows, "row")
    return f"Held against the accepted table of {rows}, source {shown(accepted.source)}."


def percent(share: float) -> str:
    """Return a share as 12.3 %, and what rounds to nothing as < 0.1 %."""
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def measure(value: Plain | None) -> str:
    """Return a number to six digits, which is enough to read it, or a date."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else shown(float(f"{value:.6g}"))


def ends(profile: Profile) -> list[Plain]:
    """Return the smallest and the largest value in the histogram."""
    drawn = profile.histogram
    return [plain(drawn.low, profile.type), plain(drawn.high, profile.type)] if drawn else []


def bars(profile: Profile) -> list[dict[str, Any]]:
    """Return the histogram's bars, scaled to a plot 100 wide and ``HEIGHT`` high."""
    drawn = profile.histogram
    if not drawn:
        return []
    edges = [drawn.low + i * drawn.width for i in range(len(drawn.counts) + 1)]
    words = [measure(plain(edge, profile.type)) for edge in edges]
    inside = [
        (count, f"from {low} to below {high}", False)
        for count, low, high in zip(drawn.counts, words, words[1:], strict=False)
    ]
    below = [(drawn.below, "below the range", True)] if drawn.below else []
    above = [(drawn.above, "above the range", True)] if drawn.above else []
    return _scaled([*below, *inside, *above])


def _scaled(counted: Sequence[tuple[int, str, bool]]) -> list[dict[str, Any]]:
    tallest, width = max(count for count, _, _ in counted), 100 / len(counted)
    heights = [max(HEIGHT * count / tallest, LEAST) if count else 0.0 for count, _, _ in counted]
    return [
        {
            "x": round(i * width, 3),
            "y": round(HEIGHT - height, 3),
            "width": round(width * 0.92, 3),
            "height": round(height, 3),
            "outside": outside,
            "label": f"{label}: {_count(count, 'row')}",
        }
        for i, (height, (count, label, outside)) in enumerate(zip(heights, counted, strict=True))
    ]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
