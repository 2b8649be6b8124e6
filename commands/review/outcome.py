"""The part of a report about one task whose predictions changed."""

from commands.review.compare import Compared
from commands.review.flips import Flips
from commands.review.markdown import (
    MARKS,
    change,
    code,
    counted,
    details,
    directed,
    interval,
    table,
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


def task_section(task: Compared, picture: str, most: int) -> str:
    """Return a task's metrics, picture, slices, flips and candidates."""
    if not task.base or not task.here:
        return ""
    parts = [
        f"## {code(task.task)}",
        _summary(task.own),
        f"![{_described(task)}]({picture})" if picture else "",
        _metrics(task, most),
        _slices(task, most) if task.slices else "",
        _flips(task.flips, bool(task.here.schema.labels), most) if task.flips else "",
        _candidates(task.base, task.here, most),
    ]
    return "\n\n".join(part for part in parts if part)


def _summary(own: Difference | None) -> str:
    if own is None:
        return "The task's metric is undefined on the shared test rows."
    better = "higher" if own.metric.direction > 0 else "lower"
    return f"{MARKS[own.verdict]}: {change(own)}; {better} is better."


def _described(task: Compared) -> str:
    """Return what the picture shows, for those who do not see it."""
    flips = f"{task.flips.total} of {task.flips.rows} test rows flipped, " if task.flips else ""
    return f"{task.task}: candidates, {flips}slices; the tables below hold the same"


def _metrics(task: Compared, most: int) -> str:
    head = ("metric", "result", "base:", "here:", "difference:")
    return table(head, [_measured(directed(it), it) for it in task.metrics], most)


def _measured(name: str, it: Difference) -> tuple[str, ...]:
    return name, MARKS[it.verdict], format_number(it.base), format_number(it.here), interval(it)


def _slices(task: Compared, most: int) -> str:
    """List the slices that got worse, or else the largest losses; open where something did."""
    slices, own = task.slices, task.own
    counts = {word: sum(it.verdict == word for it in slices) for word in ("worse", "better")}
    said = (
        ", ".join(f"{n} got {word}" for word, n in counts.items() if n)
        or "none differs by more than noise"
    )
    order = sorted(slices, key=lambda it: it.metric.direction * it.value)
    head = ("slice", "result", "base:", "here:", "difference:", "rows:")
    listed = order[: max(counts["worse"], CLOSE)]
    rows = [(*_measured(code(it.name), it), f"{it.rows:,}") for it in listed]
    is_worse = counts["worse"] > 0 or (own is not None and own.verdict == "worse")
    summary = f"<b>Slices</b>: of {len(slices)}, {said}"
    return details(summary, table(head, rows, most), is_open=is_worse)


def _flips(flips: Flips, is_classification: bool, most: int) -> str:
    """List the flips with the largest changes."""
    right = RIGHT["classification" if is_classification else "regression"]
    if not flips.total:
        return f"No prediction flipped on {counted(flips.rows, 'test row')}."
    said = ", ".join(f"{count:,} {kind}" for kind, count in flips.counts.items() if count)
    rows = [
        (f"{it.row:,}", code(it.truth), code(it.base), code(it.here), KINDS[it.kind])
        for it in flips.largest
    ]
    listing = table(("row:", "truth", "base", "here", ""), rows, min(most, MOST_FLIPS))
    summary = f"<b>Flips</b>: {flips.total:,} of {counted(flips.rows, 'test row')} ({said})"
    return details(summary, f"{MEANING.format(right=right)}\n\n{listing}")


def _candidates(base: Side, here: Side, most: int) -> str:
    """Return the cross-validated score of each model on both sides."""
    sides = [{it.model: it for it in side.evaluation.candidates} for side in (base, here)]
    names = dict.fromkeys([*sides[1], *sides[0]])
    rows = [(code(name), *(_score(side.get(name)) for side in sides)) for name in names]
    metrics = dict.fromkeys(side.evaluation.metric for side in (base, here))
    title = f"<b>Candidates</b>: cross-validated {' → '.join(metrics)} ± standard error"
    return details(title, table(("model", "base", "here"), rows, most))


def _score(candidate: Candidate | None) -> str:
    if candidate is None:
        return format_number(None)
    text = f"{format_number(candidate.mean)} ± {format_number(candidate.standard_error)}"
    return f"**{text}**, chosen" if candidate.chosen else text
