"""Says of two models' answers to the same rows which is better, with a margin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from commands.registry.settings import Promotion, Verdict
from commands.shared.paired import Difference, Question, estimate_differences, judge_interval
from stages.evaluating.bootstrap import Bootstrap
from stages.evaluating.metrics import Array, Metric, Rows
from stages.evaluating.slices import Slice


@dataclass(frozen=True)
class Pair:
    """The same rows as two models predict them."""

    challenger: Rows
    champion: Rows

    def ask(self, metric: Metric, mask: Array, name: str = "") -> Question:
        """Ask how much the challenger gains by a metric on the rows where ``mask`` (n) holds."""
        return Question.of(name, metric, self.champion, self.challenger, mask)

    def answer(
        self, questions: Sequence[Question], terms: Promotion, confidence: float, seed: int
    ) -> list[Difference]:
        """Answer the questions with intervals that hold all together; undefined ones not at all."""
        rows = len(self.champion)
        bootstrap = Bootstrap.affordable(terms.resamples, rows, confidence, seed)
        groups = self.champion.groups
        return estimate_differences(questions, rows, bootstrap, 1 - confidence, groups)


@dataclass(frozen=True)
class Comparison:
    """A metric of both models, the gain with its interval (above 0 is better), and the word.

    ``where`` names the slice, and is empty for all rows.
    """

    metric: str
    where: str
    rows: int
    champion: float
    challenger: float
    gain: float
    low: float
    high: float
    verdict: Verdict

    @classmethod
    def of(cls, found: Difference, margin: float) -> "Comparison":
        """Judge a difference; ``margin`` is a relative loss that does not matter."""
        gain, low, high = found.gain
        verdict = judge_interval(low, high, margin * abs(found.base))
        scores = found.base, found.here
        return cls(found.metric.name, found.name, found.rows, *scores, gain, low, high, verdict)


def compare(
    pair: Pair, metrics: Sequence[Metric], terms: Promotion, seed: int
) -> dict[str, Comparison]:
    """Return a comparison over all rows for each metric that is defined and has a good end.

    Each interval holds by itself: only one of the metrics decides.
    """
    everywhere = np.ones(len(pair.champion), dtype=bool)
    return {
        metric.name: Comparison.of(found, terms.margin)
        for metric in metrics
        if metric.direction
        for found in pair.answer([pair.ask(metric, everywhere)], terms, terms.confidence, seed)
    }


def compare_worst_slice(
    pair: Pair, parts: Sequence[Slice], metric: Metric, terms: Promotion, seed: int
) -> Comparison | None:
    """Return the comparison on the slice where the challenger loses most, beside its interval.

    The intervals hold for all slices together: looking at many finds no loss by chance. None
    without a slice that is large enough and on which the models differ.
    """
    questions = [
        pair.ask(metric, part.mask, f"{part.column} {part.label}")
        for part in parts
        if part.mask.sum() >= terms.min_slice_rows
    ]
    answers = pair.answer(questions, terms, terms.slice_confidence, seed)
    differing = [found for found in answers if found.low < found.high]
    if not differing:
        return None
    return Comparison.of(
        min(differing, key=lambda found: found.gain[0] / (found.high - found.low)), terms.margin
    )
