"""Holds one window against the reference, and says what is other, how surely, and how bad it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.monitoring.calibration import Calibration
from stages.monitoring.columns import Plain, make_plain
from stages.monitoring.drift import Measured, add_faults, find_drift, round_figures
from stages.monitoring.effects import Effects, measure_categories, measure_numbers
from stages.monitoring.findings import ColumnReport, Finding, Harm, Report, Verdict
from stages.monitoring.harm import Predict, read_cells
from stages.monitoring.outcomes import OutcomeFault, judge_outcomes
from stages.monitoring.quality import find_faults
from stages.monitoring.reference import Reference
from stages.monitoring.settings import OUTCOMES, MonitoringSettings
from stages.monitoring.statistics import add_up, compute_statistics
from stages.monitoring.table import list_answers, list_columns
from stages.monitoring.weighing import estimate_harms
from stages.monitoring.wording import Compared

WINDOWS_HELD = 20  # by a reference, from which the budget holds for nearly every one


@dataclass(frozen=True)
class Window:
    """Later rows, typed and answered as the reference; ``misfits`` are cells that fit no type."""

    table: pd.DataFrame
    version: str | None = None
    misfits: Mapping[str, Sequence[str]] | None = None


def judge_window(
    reference: Reference,
    window: Window,
    settings: MonitoringSettings,
    predict: Predict | None = None,
) -> Report:
    """Return the report on a window; ``predict`` asks the model, for what faults would cost."""
    calibration = reference.calibration
    compared = take_rows(window.table, calibration)
    unjudged = _describe_window(reference, window, len(compared))
    null = calibration.find_null(len(compared))
    if null is None:
        return unjudged
    plain = make_plain(compared, list_columns(reference.schema, reference.table), reference.order)
    sums = add_up(reference.encoder.encode(plain))
    deviates = compute_statistics(sums, reference.base, reference.encoder)[0]
    measured = Measured.from_deviates(reference.statistics, deviates, null)
    found = _find_all(reference, window, plain, measured)
    harms = estimate_harms(reference, compared, plain, found, predict, settings.seed)
    outcomes, wrong = judge_outcomes(
        reference.table, window.table, reference.schema, calibration.budget, settings.seed
    )
    weighed = [_weigh(finding, harms, settings.harmless) for finding in found]
    findings = rank_findings([*weighed, *list_wrong(wrong)])
    return unjudged.model_copy(
        update={
            "verdict": decide_verdict(findings),
            "reason": None,
            "findings": tuple(findings),
            "columns": tuple(_report_columns(reference, plain, measured)),
            "outcomes": outcomes,
            "power": calibration.find_card(len(compared)),
        }
    )


def _find_all(
    reference: Reference, window: Window, plain: Plain, measured: Measured
) -> list[Finding]:
    """Return what drifted, and the faults of the feed."""
    rows = Compared(reference.plain, plain, reference.encoder.scales)
    names, misfits = reference.schema.names, window.misfits or {}
    return add_faults(
        find_drift(measured, rows, list_answers(reference.table)),
        find_faults(reference.feed, window.table[names], misfits),
        reference.calibration.budget * (1 - OUTCOMES),
        len(reference.statistics),
    )


def take_rows(table: pd.DataFrame, calibration: Calibration) -> pd.DataFrame:
    """Return the rows to compare: all, or evenly as many as the largest calibrated window has."""
    largest = max((null.rows for null in calibration.sizes), default=len(table))
    if len(table) <= largest:
        return table.reset_index(drop=True)
    places = np.linspace(0, len(table) - 1, largest).astype(int)
    return table.iloc[places].reset_index(drop=True)


def explain_size(calibration: Calibration, rows: int) -> str:
    """Say why a window cannot be judged, and what would do."""
    if not calibration.sizes:
        return (
            f"the reference has {calibration.rows} rows, too few for any of the sizes in "
            "monitoring.sizes of conf/config.yaml: a window of the smallest takes a reference of "
            "at least twice as many rows"
        )
    smallest = calibration.sizes[0].rows
    return f"the window has {rows} rows: {smallest} are the fewest that can be judged"


def state_guarantee(calibration: Calibration, rows: int) -> str:
    """Say what the budget holds for, with this reference and this size of window."""
    budget = f"{100 * calibration.budget:g} %"
    if calibration.in_order:
        return f"at most {budget} of sound windows alarm, if the reference holds all seasons"
    if calibration.rows >= WINDOWS_HELD * rows:
        return f"at most {budget} of sound windows alarm, for nearly every reference"
    return (
        f"about {budget} of sound windows alarm on average over references, not for each: "
        f"{calibration.rows} rows are less than {WINDOWS_HELD} windows of {rows}"
    )


def _describe_window(reference: Reference, window: Window, compared: int) -> Report:
    """Return the report on a window that is not judged yet."""
    calibration, rows = reference.calibration, len(window.table)
    return Report(
        task=reference.task,
        version=window.version,
        verdict="not judged",
        reason=explain_size(calibration, rows),
        rows=rows,
        compared=compared,
        reference_rows=calibration.rows,
        statistics=calibration.statistics,
        budget=calibration.budget,
        guarantee=state_guarantee(calibration, compared),
    )


def _weigh(finding: Finding, harms: Mapping[str, Harm], harmless: float) -> Finding:
    """Add the harm; drift that does none, either way, is recorded and not alarmed."""
    harm = harms.get(finding.column or "")
    if harm is None or finding.group == "quality":
        return finding.model_copy(update={"harm": harm})
    severity = "warn" if harm.is_ruled_out(harmless) else "alarm"
    return finding.model_copy(update={"harm": harm, "severity": severity})


def list_wrong(faults: Sequence[OutcomeFault]) -> list[Finding]:
    """Return what the truth shows, where it is beyond its part of the budget."""
    return [
        Finding(
            group="outcomes",
            column=fault.column,
            severity="alarm",
            found=fault.found,
            probability=round_figures(min(1.0, fault.probability)),
        )
        for fault in faults
        if fault.probability <= fault.level
    ]


def rank_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Order findings: what the truth shows, then by harm, then by how sure it is."""

    def key(finding: Finding) -> tuple[bool, bool, float, float]:
        harm = finding.harm.worst if finding.harm else 0.0
        return finding.severity != "alarm", finding.group != "outcomes", -harm, finding.probability

    return sorted(findings, key=key)


def decide_verdict(findings: Sequence[Finding]) -> Verdict:
    """Return the verdict: alarm if one of the findings is one."""
    if any(finding.severity == "alarm" for finding in findings):
        return "alarm"
    return "warn" if findings else "ok"


def _report_columns(reference: Reference, plain: Plain, measured: Measured) -> list[ColumnReport]:
    least: dict[str, float] = {}
    for statistic, chance in zip(measured.statistics, measured.chances.tolist(), strict=True):
        for part in statistic.parts[:1] if not statistic.kind.startswith("joint") else ():
            least[part] = min(least.get(part, 1.0), chance)
    return [
        ColumnReport(
            part=part,
            probability=round_figures(least.get(part, 1.0)),
            missing_before=round_figures(_share_missing(reference.plain, part)),
            missing=round_figures(_share_missing(plain, part)),
            effects=_measure_effects(reference, plain, part),
        )
        for part in [*reference.plain.numbers, *reference.plain.categories]
    ]


def _measure_effects(reference: Reference, plain: Plain, part: str) -> Effects | None:
    if part in plain.numbers:
        scale = reference.encoder.scales[part]
        return measure_numbers(reference.plain.numbers[part], plain.numbers[part], scale)
    return measure_categories(reference.plain.categories[part], plain.categories[part])


def _share_missing(plain: Plain, part: str) -> float:
    cells = read_cells(plain, part)
    if cells is None or not len(cells):
        return 0.0
    missing = np.isnan(cells) if cells.dtype.kind == "f" else cells == None  # noqa: E711
    return float(np.mean(missing))
