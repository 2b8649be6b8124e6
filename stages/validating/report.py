"""Tells what validation found: as JSON for programs, as a page to read, and on the terminal."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, StrictUndefined

from stages.shared.frozen import Frozen, Items
from stages.shared.schema import SPLITS, TARGET
from stages.validating.cells import format_value
from stages.validating.findings import Finding
from stages.validating.prepared import Prepared
from stages.validating.profiles import ALL, Plain, Profile, profile_columns, to_plain

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
    def from_findings(cls, prepared: Prepared, findings: Sequence[Finding]) -> "Report":
        """Errors fail the table; warnings do not."""
        return cls(
            task=prepared.task,
            verdict="failed" if list_errors(findings) else "passed",
            rows=prepared.rows,
            findings=tuple(findings),
            columns=profile_columns(prepared),
        )


def list_errors(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that fail the table, in the order given."""
    return [finding for finding in findings if finding.severity == "error"]


def summarise_report(report: Report) -> str:
    """Return the findings counted in words, e.g. ``2 errors and 1 warning in 303 rows``."""
    wrong = len(list_errors(report.findings))
    warnings = len(report.findings) - wrong
    counts = [_format_count(wrong, "error")] if wrong or not warnings else []
    counts += [_format_count(warnings, "warning")] if warnings else []
    return f"{' and '.join(counts)} in {_format_count(sum(report.rows.values()), 'row')}"


def render_screen(findings: Sequence[Finding], where: Path) -> str:
    """Return as many findings as a screen holds, and where to read the others."""
    lines: list[str] = []
    for told, finding in enumerate(findings):
        block = _render_finding(finding)
        if len(lines) + len(block) >= SCREEN:
            lines.append(f"… and {len(findings) - told} more: see {where}")
            break
        lines += block
    return "".join(f"{line}\n" for line in lines)


def _render_finding(finding: Finding) -> list[str]:
    values = ": " + ", ".join(f"'{value}'" for value in finding.values) if finding.values else ""
    rows = f" (row{'s' if finding.count != 1 else ''} {list_rows(finding)})" if finding.rows else ""
    first = (
        f"{finding.severity:5}  {name_subject(finding.column)} · {finding.rule}: {finding.found}"
    )
    text = [f"{first}{values}{rows}", f"       expected: {finding.expected}; {finding.remedy}"]
    wrap = textwrap.TextWrapper(LINE, subsequent_indent=" " * 7, break_on_hyphens=False)
    return [line for part in text for line in wrap.wrap(part)]


def list_rows(finding: Finding) -> str:
    """Return the rows of a finding, with dots where they are not all."""
    more = ", …" if finding.count > len(finding.rows) else ""
    return ", ".join(map(str, finding.rows)) + more


def name_subject(column: str | None) -> str:
    """Return how a person calls what a finding is about."""
    return {None: "whole rows", TARGET: "target"}.get(column) or format_value(column)


def render_page(report: Report, title: str, prepared: Prepared) -> str:
    """Return the report as one HTML page that loads nothing from elsewhere.

    Whatever comes from the data is escaped by the template engine.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "name": name_subject,
        "listed": list_rows,
        "shown": format_value,
        "percent": format_percent,
        "measure": format_measure,
    }
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        report=report,
        title=title,
        summary=summarise_report(report),
        places=(ALL, *SPLITS),
        columns=[
            {
                "name": name_subject(column),
                "profile": profile,
                "contract": prepared.fields[column],
                "faults": [finding for finding in report.findings if finding.column == column],
                "bars": build_bars(profile),
                "ends": list_ends(profile),
            }
            for column, profile in report.columns.items()
        ],
        anchors={column: f"column-{i}" for i, column in enumerate(report.columns)},
        expression=prepared.target.expression,
        compared=describe_accepted(prepared),
        ignored=[format_value(name) for name in prepared.ignored],
    )


def describe_accepted(prepared: Prepared) -> str:
    """Say which accepted table this one was held against, if any."""
    accepted = prepared.accepted
    if not accepted:
        return f"No earlier table is accepted yet: make set-reference TASK={prepared.task}."
    rows = _format_count(accepted.rows, "row")
    return f"Held against the accepted table of {rows}, source {format_value(accepted.source)}."


def format_percent(share: float) -> str:
    """Return a share as 12.3 %, and what rounds to nothing as < 0.1 %."""
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def format_measure(value: Plain | None) -> str:
    """Return a number to six digits, which is enough to read it, or a date."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else format_value(float(f"{value:.6g}"))


def list_ends(profile: Profile) -> list[Plain]:
    """Return the smallest and the largest value in the histogram."""
    drawn = profile.histogram
    return [to_plain(drawn.low, profile.type), to_plain(drawn.high, profile.type)] if drawn else []


def build_bars(profile: Profile) -> list[dict[str, Any]]:
    """Return the histogram's bars, scaled to a plot 100 wide and ``HEIGHT`` high."""
    drawn = profile.histogram
    if not drawn:
        return []
    edges = [drawn.low + i * drawn.width for i in range(len(drawn.counts) + 1)]
    words = [format_measure(to_plain(edge, profile.type)) for edge in edges]
    inside = [
        (count, f"from {low} to below {high}", False)
        for count, low, high in zip(drawn.counts, words, words[1:], strict=False)
    ]
    below = [(drawn.below, "below the range", True)] if drawn.below else []
    above = [(drawn.above, "above the range", True)] if drawn.above else []
    return _scale_bars([*below, *inside, *above])


def _scale_bars(counted: Sequence[tuple[int, str, bool]]) -> list[dict[str, Any]]:
    tallest, width = max(count for count, _, _ in counted), 100 / len(counted)
    heights = [max(HEIGHT * count / tallest, LEAST) if count else 0.0 for count, _, _ in counted]
    return [
        {
            "x": round(i * width, 3),
            "y": round(HEIGHT - height, 3),
            "width": round(width * 0.92, 3),
            "height": round(height, 3),
            "outside": outside,
            "label": f"{label}: {_format_count(count, 'row')}",
        }
        for i, (height, (count, label, outside)) in enumerate(zip(heights, counted, strict=True))
    ]


def _format_count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
