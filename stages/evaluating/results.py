"""Writes an evaluation as Markdown tables for people."""

from collections.abc import Iterable

from stages.evaluating.content import Candidate, Difference, Evaluation
from stages.evaluating.formatting import format_number

WORST = 5  # slices listed
IMPORTANT = 10  # columns listed


def render_markdown(evaluation: Evaluation) -> str:
    """Return the results of one task as a page."""
    parts = [
        f"# {evaluation.task}: results",
        *([f"**{evaluation.doubt}**"] if evaluation.doubt else []),
        evaluation.explanation,
        _render_candidates(evaluation),
        *_render_encoder_gains(evaluation),
        _render_test(evaluation),
        *([evaluation.decision] if evaluation.decision else []),
        _render_slices(evaluation),
        _render_importances(evaluation),
    ]
    return "\n\n".join(parts) + "\n"


def _render_candidates(evaluation: Evaluation) -> str:
    better = "higher" if evaluation.higher_is_better else "lower"
    head = ("model", f"{evaluation.metric} ± standard error", "against the best", "complexity", "")
    rows = [
        (
            candidate.model,
            f"{format_number(candidate.mean)} ± {format_number(candidate.standard_error)}",
            _format_gain(candidate.better_than_best),
            candidate.complexity,
            _mark_candidate(candidate),
        )
        for candidate in evaluation.candidates
    ]
    return f"## Candidates, cross-validated ({better} is better)\n\n{_render_table(head, rows)}"


def _render_encoder_gains(evaluation: Evaluation) -> list[str]:
    share = f"{100 * evaluation.test.confidence:g} %"
    return [
        f"{found.model}, a fine-tuned encoder, gains {_format_gain(found.gain)} over "
        f"{found.over}, the best of the other models: the difference in {evaluation.metric} over "
        f"the same folds, with its corrected resampled {share} interval."
        for found in evaluation.encoder_gains
    ]


def _format_gain(gain: Difference | None) -> str:
    return _format_interval(gain.mean, gain.low, gain.high) if gain else "the best mean"


def _mark_candidate(candidate: Candidate) -> str:
    if candidate.chosen:
        return "**chosen**"
    return "within one standard error" if candidate.within_one_standard_error else ""


def _render_test(evaluation: Evaluation) -> str:
    test = evaluation.test
    head = ("metric", f"value [{100 * test.confidence:g} % interval]", "baseline", "n")
    rows = [
        (
            name,
            _format_interval(score.value, score.low, score.high),
            format_number(score.baseline),
            test.rows,
        )
        for name, score in test.metrics.items()
    ]
    title = f"## {evaluation.champion} on the test rows, seen once"
    table = _render_table(head, rows)
    intervals = f"Intervals: {test.resamples} bootstrap samples. {test.about_copies}".rstrip()
    return f"{title}\n\n{table}\n\n{intervals}"


def _render_slices(evaluation: Evaluation) -> str:
    sign = 1 if evaluation.higher_is_better else -1
    known = [(sign * part.value, part) for part in evaluation.slices if part.value is not None]
    worst = [part for _, part in sorted(known, key=lambda pair: pair[0])[:WORST]]
    head = ("column", "values", f"{evaluation.metric} [interval]", "n")
    rows = [
        (part.column, part.label, _format_interval(part.value, part.low, part.high), part.rows)
        for part in worst
    ]
    title = f"## Worst slices, of {len(known)} that are large enough"
    return f"{title}\n\n{_render_table(head, rows)}"


def _render_importances(evaluation: Evaluation) -> str:
    found = evaluation.importances
    head = ("column", f"loss of {evaluation.metric} when shuffled", "± over permutations")
    rows = [
        (part.column, format_number(part.mean), format_number(part.deviation))
        for part in found.columns[:IMPORTANT]
    ]
    title = f"## Most important columns ({found.rows} rows, {found.permutations} permutations)"
    return f"{title}\n\n{_render_table(head, rows)}"


def _format_interval(value: float | None, low: float | None, high: float | None) -> str:
    return f"{format_number(value)} [{format_number(low)}, {format_number(high)}]"


def _render_table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    lines = [[_escape(cell) for cell in line] for line in (head, *rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escape(cell: object) -> str:
    return str(cell).replace("|", "\\|").replace("<", "&lt;")
