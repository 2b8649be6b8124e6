"""Writes ``evaluation.json`` as Markdown tables for people."""

from collections.abc import Iterable
from typing import Any

from stages.evaluating.figures import shown

Content = dict[str, Any]
WORST = 5  # slices listed
IMPORTANT = 10  # columns listed


def markdown(evaluation: Content) -> str:
    """Return the results of one task as a page."""
    parts = [
        f"# {evaluation['task']}: results",
        evaluation["explanation"],
        _candidates(evaluation),
        *_encoder_gains(evaluation),
        _test(evaluation),
        evaluation["decision"],
        _slices(evaluation),
        _importances(evaluation),
    ]
    return "\n\n".join(parts) + "\n"


def _candidates(evaluation: Content) -> str:
    metric, better = evaluation["metric"], "higher" if evaluation["higher_is_better"] else "lower"
    head = ("model", f"{metric} ± standard error", "against the best", "complexity", "")
    rows = [
        (
            candidate["model"],
            f"{shown(candidate['mean'])} ± {shown(candidate['standard_error'])}",
            _gain(candidate["better_than_best"]),
            candidate["complexity"],
            _mark(candidate),
        )
        for candidate in evaluation["candidates"]
    ]
    return f"## Candidates, cross-validated ({better} is better)\n\n{_table(head, rows)}"


def _encoder_gains(evaluation: Content) -> list[str]:
    share = f"{100 * evaluation['test']['confidence']:g} %"
    return [
        f"{it['model']}, a fine-tuned encoder, gains {_gain(it['gain'])} over {it['over']}, the "
        f"best of the other models: the difference in {evaluation['metric']} over the same folds, "
        f"with its corrected resampled {share} interval."
        for it in evaluation["encoder_gains"]
    ]


def _gain(gain: Content | None) -> str:
    return _interval(gain["mean"], gain["low"], gain["high"]) if gain else "the best mean"


def _mark(candidate: Content) -> str:
    if candidate["chosen"]:
        return "**chosen**"
    return "within one standard error" if candidate["within_one_standard_error"] else ""


def _test(evaluation: Content) -> str:
    test = evaluation["test"]
    share = f"{100 * test['confidence']:g} %"
    head = ("metric", f"value [{share} interval]", "baseline", "n")
    rows = [
        (name, _interval(it["value"], it["low"], it["high"]), shown(it["baseline"]), test["rows"])
        for name, it in test["metrics"].items()
    ]
    title = f"## {evaluation['champion']} on the test rows, seen once"
    return f"{title}\n\n{_table(head, rows)}\n\nIntervals: {test['resamples']} bootstrap samples."


def _slices(evaluation: Content) -> str:
    known = [it for it in evaluation["slices"] if it["value"] is not None]
    sign = 1 if evaluation["higher_is_better"] else -1
    worst = sorted(known, key=lambda it: sign * it["value"])[:WORST]
    head = ("column", "values", f"{evaluation['metric']} [interval]", "n")
    rows = [
        (it["column"], it["label"], _interval(it["value"], it["low"], it["high"]), it["rows"])
        for it in worst
    ]
    title = f"## Worst slices, of {len(known)} that are large enough"
    return f"{title}\n\n{_table(head, rows)}"


def _importances(evaluation: Content) -> str:
    found = evaluation["importances"]
    head = ("column", f"loss of {evaluation['metric']} when shuffled", "± over permutations")
    rows = [
        (it["column"], shown(it["mean"]), shown(it["deviation"]))
        for it in found["columns"][:IMPORTANT]
    ]
    title = (
        f"## Most important columns ({found['rows']} rows, {found['permutations']} permutations)"
    )
    return f"{title}\n\n{_table(head, rows)}"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    return f"{shown(value)} [{shown(low)}, {shown(high)}]"


def _table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    lines = [[_escaped(cell) for cell in line] for line in (head, *rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(cell: object) -> str:
    return str(cell).replace("|", "\\|").replace("<", "&lt;")
