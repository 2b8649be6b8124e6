"""The part of a report about one task whose predictions changed."""

from commands.review.compare import Compared
from commands.review.flips import Flips
from commands.review.forest_plot import draw_forest_plot
from commands.review.markdown import (
    MARKS,
    describe_possible_loss,
    fold_details,
    format_code,
    format_count,
    format_interval,
    format_metric,
    format_table,
)
from commands.review.side import Candidate, Side
from commands.shared.paired import Difference
from stages.evaluating.formatting import format_number

KINDS = {"mended": "🟢 mended", "broken": "🔴 broken", "other": "wrong in another way"}
RIGHT = {
    "classification": "the decision is the truth",
    "regression": "the truth lies within the prediction interval",
}
MEANING = (
    "Broken: right in the base, wrong here. Mended: the other way. A row is right where {right}."
)
CLOSE = 5  # slices listed where fewer got worse
MOST_FLIPS = 15


def write_task_section(task: Compared, picture: str, most: int) -> str:
    """Return a task's evidence, picture, metrics, slices, flips and candidates."""
    if not task.base or not task.here:
        return ""
    parts = [
        f"## {format_code(task.task)}",
        _summarise_task(task),
        _write_evidence_table(task, most),
        draw_forest_plot(task),
        f"![{_describe_picture(task)}]({picture})" if picture else "",
        _write_metrics_table(task, most),
        _write_slices(task, most) if task.slices else "",
        _write_flips(task.flips, bool(task.here.schema.labels), most) if task.flips else "",
        _write_candidates(task.base, task.here, most),
    ]
    return "\n\n".join(part for part in parts if part)


def _summarise_task(task: Compared) -> str:
    """Return the verdict, and what the rows would have shown."""
    if not task.evidence or not task.narrowest:
        return "The task's metric is undefined on the rows that both sides hold."
    better = "higher" if task.narrowest.metric.direction > 0 else "lower"
    verdict = f"{MARKS[task.verdict]} by {task.narrowest.metric.name}; {better} is better."
    if task.verdict not in ("inconclusive", "not worse"):
        return verdict
    return f"{verdict} {describe_possible_loss(task.narrowest, task.tolerance)}"


def _describe_picture(task: Compared) -> str:
    """Return what the picture shows, for those who do not see it."""
    flips = f"{task.flips.total} of {task.flips.rows} test rows flipped, " if task.flips else ""
    return f"{task.task}: candidates, {flips}slices; the tables below hold the same"


def _write_evidence_table(task: Compared, most: int) -> str:
    """Return the task's metric on the test rows and out of fold."""
    rows = []
    if task.own and task.here:
        held = f"{task.own.rows:,} of {len(task.here.test):,} test rows"
        rows.append(_make_evidence_row(f"the champion, on {held}", task.own, task.tolerance))
    if task.out_of_fold:
        held = f"{task.out_of_fold.rows:,} rows trained on"
        name = f"cross-validated, out of fold, on {held}"
        rows.append(_make_evidence_row(name, task.out_of_fold, task.tolerance))
    if not rows:
        return ""
    metric = format_metric(task.evidence[0])
    text = format_table((metric, "result", "base:", "here:", "difference:"), rows, most)
    reason = task.no_out_of_fold
    return f"{text}\n\nNot compared out of fold: {reason}." if reason else text


def _make_evidence_row(name: str, found: Difference, tolerance: float) -> tuple[str, ...]:
    values = format_number(found.base), format_number(found.here), format_interval(found)
    return name, MARKS[found.judge(tolerance)], *values


def _write_metrics_table(task: Compared, most: int) -> str:
    head = ("metric, test rows", "result", "base:", "here:", "difference:")
    return format_table(
        head, [_make_metric_row(format_metric(found), found) for found in task.metrics], most
    )


def _make_metric_row(name: str, found: Difference) -> tuple[str, ...]:
    return (
        name,
        MARKS[found.verdict],
        format_number(found.base),
        format_number(found.here),
        format_interval(found),
    )


def _write_slices(task: Compared, most: int) -> str:
    """List the slices that got worse, or else the largest losses; open where something did."""
    slices = task.slices
    counts = {word: sum(part.verdict == word for part in slices) for word in ("worse", "better")}
    summary = (
        ", ".join(f"{n} got {word}" for word, n in counts.items() if n)
        or "none differs by more than noise"
    )
    order = sorted(slices, key=lambda part: part.metric.direction * part.value)
    head = ("slice", "result", "base:", "here:", "difference:", "rows:")
    listed = order[: max(counts["worse"], CLOSE)]
    rows = [(*_make_metric_row(format_code(part.name), part), f"{part.rows:,}") for part in listed]
    is_worse = counts["worse"] > 0 or task.verdict == "worse"
    title = f"<b>Slices</b>: of {len(slices)}, {summary}"
    return fold_details(title, format_table(head, rows, most), is_open=is_worse)


def _write_flips(flips: Flips, is_classification: bool, most: int) -> str:
    """List the flips with the largest changes."""
    right = RIGHT["classification" if is_classification else "regression"]
    if not flips.total:
        return f"No prediction flipped on {format_count(flips.rows, 'test row')}."
    counts = ", ".join(f"{count:,} {kind}" for kind, count in flips.counts.items() if count)
    rows = [
        (
            f"{flip.row:,}",
            format_code(flip.truth),
            format_code(flip.base),
            format_code(flip.here),
            KINDS[flip.kind],
        )
        for flip in flips.largest
    ]
    listing = format_table(("row:", "truth", "base", "here", ""), rows, min(most, MOST_FLIPS))
    title = f"<b>Flips</b>: {flips.total:,} of {format_count(flips.rows, 'test row')} ({counts})"
    return fold_details(title, f"{MEANING.format(right=right)}\n\n{listing}")


def _write_candidates(base: Side, here: Side, most: int) -> str:
    """Return the cross-validated score of each model on both sides."""
    sides = [
        {candidate.model: candidate for candidate in side.evaluation.candidates}
        for side in (base, here)
    ]
    names = dict.fromkeys([*sides[1], *sides[0]])
    rows = [
        (format_code(name), *(_format_score(side.get(name)) for side in sides)) for name in names
    ]
    metrics = dict.fromkeys(side.evaluation.metric for side in (base, here))
    title = f"<b>Candidates</b>: cross-validated {' → '.join(metrics)} ± standard error"
    return fold_details(title, format_table(("model", "base", "here"), rows, most))


def _format_score(candidate: Candidate | None) -> str:
    if candidate is None:
        return format_number(None)
    text = f"{format_number(candidate.mean)} ± {format_number(candidate.standard_error)}"
    return f"**{text}**, chosen" if candidate.chosen else text
