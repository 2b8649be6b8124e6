"""The parts of a report about what led to its results: data, parameters, stages, commands."""

from collections.abc import Mapping, Sequence

from commands.review.data import DataChange
from commands.review.findings import Findings
from commands.review.markdown import (
    fold_details,
    format_code,
    format_count,
    format_duration,
    format_names,
    format_table,
)
from commands.review.ran import Ran
from stages.evaluating.formatting import format_number
from stages.shared.schema import TARGET

CAUSES = 3  # of a stage that are listed
MANY = 20  # parameters above which they are folded


def write_data_section(findings: Findings, most: int) -> str:
    """Return what became of each table that changed."""
    if not findings.data:
        return "## Data\n\nNo table changed."
    known = {
        task: change for task, change in findings.data.items() if isinstance(change, DataChange)
    }
    unknown = [
        f"- {format_code(task)}: {reason}"
        for task, reason in findings.data.items()
        if isinstance(reason, str)
    ]
    head = ("table", "base:", "here:", "added:", "removed:", "edited:", "in another split:")
    rows = [
        (format_code(task), *(f"{n:,}" for n in _count_rows(change)))
        for task, change in known.items()
    ]
    parts = ["## Data", format_table(head, rows, most) if rows else ""]
    parts += [_describe_table(task, change, most) for task, change in list(known.items())[:most]]
    return "\n\n".join(part for part in [*parts, "\n".join(unknown[:most])] if part)


def _count_rows(change: DataChange) -> tuple[int, ...]:
    return change.before, change.rows, change.added, change.removed, change.edited, change.moved


def _describe_table(task: str, change: DataChange, most: int) -> str:
    """Return which columns were edited, changed themselves, or hold other values now."""
    cells = [
        f"{format_code(_name_column(name))} in {format_count(n, 'row')}"
        for name, n in change.cells.items()
    ]
    lines = [f"edited: {', '.join(cells[:most])}"] if cells else []
    lines += [f"column {text}" for text in change.columns[:most]]
    lines += [
        f"{format_code(_name_column(found.column))}: {format_code(found.found)}"
        for found in change.shifts[:most]
    ]
    if change.unknown:
        lines.append(f"whether values are spread as before is not known: {change.unknown}")
    elif not change.shifts:
        lines.append("values are spread as before: no column has shifted by more than chance")
    return "\n".join([f"**{format_code(task)}**", "", *(f"- {line}" for line in lines)])


def _name_column(column: str | None) -> str:
    return "the target" if column in (TARGET, None) else str(column)


def write_params_section(findings: Findings, most: int) -> str:
    """Return each parameter that changed."""
    if not findings.params:
        return "## Parameters\n\nNo parameter changed."
    rows = [
        (format_code(change.key), _format_value(change.before), _format_value(change.after))
        for change in findings.params
    ]
    listing = format_table(("key", "base", "here"), rows, most)
    if len(rows) > MANY:
        listing = fold_details(f"<b>{len(rows):,} parameters</b> changed", listing)
    return f"## Parameters\n\n{listing}"


def _format_value(text: str | None) -> str:
    return format_number(None) if text is None else format_code(text)


def write_stages_section(findings: Findings, most: int) -> str:
    """Return which stages ran and why, and which had the base's results."""
    found = findings.stages
    if not found.ran:
        return (
            f"## Stages\n\nNone of {format_count(found.total, 'stage')} ran: all is as in the base."
        )
    rows = [
        (format_code(run.name), _describe_causes(run), "the same" if run.same else "new")
        for run in found.ran
    ]
    parts = [
        f"## Stages\n\n{len(found.ran)} of {format_count(found.total, 'stage')} ran; "
        f"{len(found.restored)} had the base's inputs, so their results were restored"
        f"{_describe_savings(found.restored, findings.seconds)}.",
        fold_details(
            "<b>Ran</b>, and why", format_table(("stage", "because of", "outputs"), rows, most)
        ),
    ]
    if found.restored:
        parts.append(fold_details("<b>Restored</b>", format_names(found.restored, 10 * most)))
    if found.removed:
        parts.append(f"Gone: {format_names(found.removed, most)}.")
    return "\n\n".join(parts)


def _describe_savings(restored: Sequence[str], seconds: Mapping[str, float]) -> str:
    """Say how long the restored stages took when they last ran here."""
    known = [seconds[name] for name in restored if name in seconds]
    if not known:
        return ""
    share = "" if len(known) == len(restored) else f", as far as known ({len(known)} of them)"
    return f", which saved about {format_duration(sum(known))}{share}"


def _describe_causes(run: Ran) -> str:
    if run.state == "new":
        return "it is new"
    after = f"outputs of {format_names(run.after, CAUSES)}" if run.after else ""
    command = "its command" if run.command else ""
    causes = [part for part in (format_names(run.causes, CAUSES), after, command) if part]
    return "; ".join(causes) or "no input: its outputs differ from run to run"


def write_reproduction(findings: Findings) -> str:
    """Return the commands that give this report again."""
    commands = [
        "git fetch origin",
        f"git checkout {findings.head.sha}",
        "make repro  # with a remote, `dvc repro --pull` restores instead of running",
        f"make report BASE={findings.base.sha}",
    ]
    text = "\n".join(f"$ {command}" for command in commands)
    changed = findings.uncommitted
    note = f"\n\nNot committed when it was written: {format_names(changed, 5)}." if changed else ""
    return f"## Reproduce\n\n```console\n{text}\n```{note}"
