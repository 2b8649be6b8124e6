"""Tells what monitoring found: as a page to read, on the terminal, and as metrics."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from stages.monitoring.findings import Estimate, Finding, Harm, Report

TEMPLATE = Path(__file__).with_name("page.html.jinja")
NOTHING = "-"
SCREEN = 8  # findings shown on a terminal


def render_page(report: Report, title: str) -> str:
    """Return the report as one HTML page that loads nothing from elsewhere."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": format_percent,
        "chance": format_chance,
        "number": format_number,
        "estimate": format_estimate,
    }
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(report=report, title=title, summary=summarise(report))


def render_screen(report: Report, where: Path | None = None) -> str:
    """Return the verdict and the first findings as text."""
    lines = [f"{report.task}: {summarise(report)}"]
    lines += [_render_finding(finding) for finding in report.findings[:SCREEN]]
    if len(report.findings) > SCREEN:
        lines.append(f"… and {len(report.findings) - SCREEN} more")
    lines.append(f"({report.guarantee})")
    return "".join(f"{line}\n" for line in [*lines, *([f"see {where}"] if where else [])])


def summarise(report: Report) -> str:
    """Return the verdict in a sentence."""
    if report.verdict == "not judged":
        return f"not judged: {report.reason}"
    alarms = sum(finding.severity == "alarm" for finding in report.findings)
    harmless = len(report.findings) - alarms
    parts = [f"{alarms} found"] if alarms else []
    parts += [f"{harmless} harmless"] if harmless else []
    counted = ", ".join(parts) or "nothing found"
    return f"{report.verdict}: {counted} in {report.rows:,} rows"


def list_metrics(report: Report) -> dict[str, Any]:
    """Return what `dvc metrics show` shows."""
    least = min((finding.probability for finding in report.findings), default=1.0)
    found = {
        "verdict": report.verdict,
        "rows": report.rows,
        "findings": len(report.findings),
        "probability": least,
    }
    outcomes = report.outcomes
    return found | ({"label_coverage": outcomes.coverage} if outcomes else {})


def _render_finding(finding: Finding) -> str:
    subject = finding.column or finding.group
    harm = f"; loss {describe_harm(finding.harm)}" if finding.harm else ""
    chance = format_chance(finding.probability)
    return f"{finding.severity:5}  {subject}: {finding.found} (p {chance}){harm}"


def describe_harm(harm: Harm) -> str:
    """Return the change of loss in words."""
    real = f"{format_estimate(harm.if_real)} if real" if harm.if_real else ""
    faulty = f"{format_estimate(harm.if_faulty)} if faulty" if harm.if_faulty else ""
    return ", ".join(filter(None, [real, faulty])) or "unknown"


def format_percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.3g} %"


def format_chance(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def format_number(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def format_estimate(estimate: Estimate | None) -> str:
    """Return a share with its interval: +5 % [2 %, 8 %]."""
    if estimate is None:
        return NOTHING
    value, low, high = (100 * end for end in (estimate.value, estimate.low, estimate.high))
    return f"{value:+.3g} % [{low:.3g}, {high:.3g}]"
