"""The champion's threshold or interval, and in words how it was found."""

from dataclasses import dataclass

from stages.evaluating.candidates import OutOfFold
from stages.evaluating.formatting import format_number, round_floats
from stages.evaluating.metrics import Array, DecisionRule
from stages.evaluating.settings import EvaluationContext
from stages.evaluating.thresholds import choose_threshold, compute_half_width


@dataclass(frozen=True)
class Decision:
    """The rule by which the champion is tested, and how it came about."""

    rule: DecisionRule
    explanation: str


def decide(
    context: EvaluationContext, champion: OutOfFold, truth: Array, units: int | None = None
) -> Decision:
    """Fix the threshold or the interval by the champion's out-of-fold predictions alone.

    ``units`` is how many of the rows stand for themselves, where some are copies.
    """
    if not context.is_classification:
        return _decide_interval(context, champion, truth, units)
    if context.schema.is_binary:
        return _decide_threshold(context, champion, truth)
    return Decision(context.ranking_rule, "The most probable class is decided for.")


def _decide_threshold(context: EvaluationContext, champion: OutOfFold, truth: Array) -> Decision:
    asked, bins = context.settings.threshold, context.settings.bins
    if isinstance(asked, float):
        return Decision(
            context.ranking_rule, f"The threshold {asked:.6g} is set in conf/config.yaml."
        )
    found, score = choose_threshold(truth, champion.average[:, 1], asked)
    threshold = round_floats(found)
    return Decision(
        DecisionRule(threshold, bins=bins),
        f"A row counts as {context.schema.labels[1]} from a probability of {threshold} on. That "
        f"threshold gives the best {asked} ({format_number(score)}) on the champion's out-of-fold "
        f"predictions (mean of {len(champion.folds)} repeats, {len(truth)} rows).",
    )


def _decide_interval(
    context: EvaluationContext, champion: OutOfFold, truth: Array, units: int | None
) -> Decision:
    coverage = context.settings.coverage
    half_width = round_floats(compute_half_width(champion.predictions - truth, coverage, units))
    return Decision(
        DecisionRule(half_width=half_width),
        f"The prediction interval is the prediction ± {format_number(half_width)}, equally wide "
        f"everywhere: the conformal {coverage:.6g} quantile of the champion's absolute "
        f"out-of-fold errors ({len(champion.folds)} repeats, {len(truth)} rows).",
    )
