"""The champion's threshold or interval, and in words how it was found."""

from dataclasses import dataclass

from stages.evaluating.candidates import OutOfFold
from stages.evaluating.figures import rounded, shown
from stages.evaluating.metrics import Array, Terms
from stages.evaluating.settings import Exam
from stages.evaluating.thresholds import choose_threshold, interval_half_width


@dataclass(frozen=True)
class Decision:
    """The terms on which the champion is tested, and how they came about."""

    terms: Terms
    explanation: str


def decide(exam: Exam, champion: OutOfFold, truth: Array) -> Decision:
    """Fix the threshold or the interval by the champion's out-of-fold predictions alone."""
    if not exam.is_classification:
        return _interval(exam, champion, truth)
    if exam.schema.is_binary:
        return _threshold(exam, champion, truth)
    return Decision(exam.ranking_terms, "The most probable class is decided for.")


def _threshold(exam: Exam, champion: OutOfFold, truth: Array) -> Decision:
    asked, bins = exam.settings.threshold, exam.settings.bins
    if isinstance(asked, float):
        return Decision(
            exam.ranking_terms, f"The threshold {asked:.6g} is set in conf/config.yaml."
        )
    found, score = choose_threshold(truth, champion.average[:, 1], asked)
    threshold = rounded(found)
    return Decision(
        Terms(threshold, bins=bins),
        f"A row counts as {exam.schema.labels[1]} from a probability of {threshold} on. That "
        f"threshold gives the best {asked} ({shown(score)}) on the champion's out-of-fold "
        f"predictions (mean of {len(champion.folds)} repeats, {len(truth)} rows).",
    )


def _interval(exam: Exam, champion: OutOfFold, truth: Array) -> Decision:
    coverage = exam.settings.coverage
    half_width = rounded(interval_half_width(champion.predictions - truth, coverage))
    return Decision(
        Terms(half_width=half_width),
        f"The prediction interval is the prediction ± {shown(half_width)}, equally wide "
        f"everywhere: the conformal {coverage:.6g} quantile of the champion's absolute "
        f"out-of-fold errors ({len(champion.folds)} repeats, {len(truth)} rows).",
    )
