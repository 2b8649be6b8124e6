"""Writes ``evaluation.json`` as Markdown tables for people."""

from collections.abc import Iterable
from typing import Any

from stages.evaluating.formatting import format_number

Content = dict[str, Any]
WORST = 5  # slices listed
IMPORTANT = 10  # columns listed


def render_markdown(evaluation: Content) -> str:
    """Return the results of one task as a page."""
    parts = [
        f"# {evaluation['task']}: results",
        evaluation["explanation"],
        _render_candidates(evaluation),
        *_render_encoder_gains(evaluation),
        _render_test(evaluation),
        evaluation["decision"],
        _render_slices(evaluation),
        _render_importances(evaluation),
    ]
    return "\n\n".join(parts) + "\n"


def _render_candidates(evaluation: Content) -> str:
    metric, better = evaluation["metric"], "higher" if evaluation["higher_is_better"] else "lower"
    head = ("model", f"{metric} ± standard error", "against the best", "complexity", "")
    rows = [
        (
            candidate["model"],
            f"{format_number(candidate['mean'])} ± {format_number(candidate['standard_error'])}",
            _format_gain(candidate["better_than_best"]),
            candidate["complexity"],
            _mark_candidate(candidate),
        )
        for candidate in evaluation["candidates"]
    ]
    return f"## Candidates, cross-validated ({better} is better)\n\n{_render_table(head, rows)}"


def _render_encoder_gains(evaluation: Content) -> list[str]:
    share = f"{100 * evaluation['test']['confidence']:g} %"
    return [
        f"{it['model']}, a fine-tuned encoder, gains {_format_gain(it['gain'])} over "
        f"{it['over']}, the best of the other models: the difference in {evaluation['metric']} "
        f"over the same folds, with its corrected resampled {share} interval."
        for it in evaluation["encoder_gains"]
    ]


def _format_gain(gain: Content | None) -> str:
    return _format_interval(gain["mean"], gain["low"], gain["high"]) if gain else "the best mean"


def _mark_candidate(candidate: Content) -> str:
    if candidate["chosen"]:
        return "**chosen**"
    return "within one standard error" if candidate["within_one_standard_error"] else ""


def _render_test(evaluation: Content) -> str:
    test = evaluation["test"]
    share = f"{100 * test['confidence']:g} %"
    head = ("metric", f"value [{share} interval]", "baseline", "n")
    rows = [
        (
            name,
            _format_interval(it["value"], it["low"], it["high"]),
            format_number(it["baseline"]),
            test["rows"],
        )
        for name, it in test["metrics"].items()
    ]
    title = f"## {evaluation['champion']} on the test rows, seen once"
    table, samples = _render_table(head, rows), test["resamples"]
    return f"{title}\n\n{table}\n\nIntervals: {samples} bootstrap samples."


def _render_slices(evaluation: Content) -> str:
    known = [it for it in evaluation["slices"] if it["value"] is not None]
    sign = 1 if evaluation["higher_is_better"] else -1
    worst = sorted(known, key=lambda it: sign * it["value"])[:WORST]
    head = ("column", "values", f"{evaluation['metric']} [interval]", "n")
    rows = [
        (
            it["column"],
            it["label"],
            _format_interval(it["value"], it["low"], it["high"]),
            it["rows"],
        )
        for it in worst
    ]
    title = f"## Worst slices, of {len(known)} that are large enough"
    return f"{title}\n\n{_render_table(head, rows)}"


def _render_importances(evaluation: Content) -> str:
    found = evaluation["importances"]
    head = ("column", f"loss of {evaluation['metric']} when shuffled", "± over permutations")
    rows = [
        (it["column"], format_number(it["mean"]), format_number(it["deviation"]))
        for it in found["columns"][:IMPORTANT]
    ]
    title = (
        f"## Most important columns ({found['rows']} rows, {found['permutations']} permutations)"
    )
    return f"{title}\n\n{_render_table(head, rows)}"


def _format_interval(value: float | None, low: float | None, high: float | None) -> str:
    return f"{format_number(value)} [{format_number(low)}, {format_number(high)}]"


def _render_table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    lines = [[_escape(cell) for cell in line] for line in (head, *rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escape(cell: object) -> str:
    return str(cell).replace("|", "\\|").replace("<", "&lt;")
