"""What ``evaluation.json`` holds, as types: the one reader that export, registry and review share.

Keys that are not named here may come and go: commits of before are read as well.
"""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict

from stages.evaluating.formatting import format_number
from stages.shared.errors import PipelineError
from stages.shared.frozen import Frozen, Items
from stages.shared.storage import read_json


class Known(Frozen):
    """The keys that are read; others may stand beside them."""

    model_config = ConfigDict(extra="ignore")


class Trained(Known):
    """The champion's ``candidate.json``: what it is, and the hashes of what made it.

    It was fitted on the first ``rows`` of train's and validation's.
    """

    rows: int
    target: str
    rounds: int | None
    features: int
    libraries: dict[str, str]
    code: str
    params: str


class Difference(Known):
    """How much better (above 0) one model scored than another on the same folds."""

    mean: float
    low: float | None
    high: float | None


class BaselineGain(Known):
    """The champion's gain over a constant answer; None where the test rows cannot tell."""

    mean: float | None
    low: float | None
    high: float | None


class Candidate(Known):
    """A candidate's place in the ranking, and its score on each fold (repeats x folds)."""

    model: str
    complexity: int
    mean: float
    standard_error: float | None
    better_than_best: Difference | None = None
    within_one_standard_error: bool = False
    chosen: bool
    scores: Items[Items[float]] = ()
    trained: Trained


class EncoderGain(Known):
    """What a fine-tuned encoder gains over the best of the other models."""

    model: str
    over: str
    gain: Difference


class Interval(Known):
    """The prediction plus and minus ``half_width`` holds a ``coverage`` share of true values."""

    coverage: float
    half_width: float


class Score(Known):
    """A metric on the test rows, its bootstrap interval, and what a constant answer gets."""

    value: float | None
    low: float | None
    high: float | None
    baseline: float | None


class Test(Known):
    """The test: how many rows, how the intervals were made, each metric.

    ``units`` counts copies, or the rows of one value of ``split.group``, once. ``over_baseline`` is
    the champion's gain over a constant answer, in the task's metric.
    For classes ``confusion`` counts rows: a list for each true class, in it each predicted one.
    """

    rows: int
    units: int | None = None
    resamples: int
    confidence: float
    metrics: dict[str, Score]
    over_baseline: BaselineGain | None = None
    confusion: Items[Items[int]] | None

    def describe_doubt(self, champion: str, metric: str) -> str:
        """Say that the champion is no better than its baseline, where the test does not show it."""
        gain, score = self.over_baseline, self.metrics[metric]
        if gain is None or (gain.low is not None and gain.low > 0):
            return ""
        ends = f"[{format_number(gain.low)}, {format_number(gain.high)}]"
        return (
            f"The champion {champion} is no better than its baseline, as far as {self.rows:,} test "
            f"rows can tell: {metric} {format_number(score.value)}, baseline "
            f"{format_number(score.baseline)}, gain {format_number(gain.mean)} {ends}."
        )

    @property
    def about_copies(self) -> str:
        """Say of how many different rows the intervals are, where some stand for one another."""
        if not self.units or self.units == self.rows:
            return ""
        return (
            f"Copies, or the rows of one group, are drawn together: {self.units:,} of the "
            f"{self.rows:,} rows stand for themselves."
        )


class Slice(Known):
    """The task's metric on a part of the test rows; without a value where they are too few."""

    column: str
    label: str
    rows: int
    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None


class Importance(Known):
    """How much the metric gets worse when the column is shuffled; None where it is undefined."""

    column: str
    mean: float | None
    deviation: float | None


class Importances(Known):
    """Every column's importance, the most important first."""

    rows: int
    permutations: int
    columns: Items[Importance]


class Point(Known):
    """The mean scores of models fitted on ``rows`` rows: on those, and on rows held out."""

    rows: int
    fitted: float | None
    held_out: float | None


class LearningCurve(Known):
    """The scores over more and more rows, or why there are none."""

    points: Items[Point]
    skipped: str | None


class Tested(Known):
    """A champion and its test, in the task's metric."""

    metric: str
    champion: str
    threshold: float | None
    interval: Interval | None
    test: Test

    @property
    def doubt(self) -> str:
        """Say that the champion is no better than its baseline, where the test does not show it."""
        return self.test.describe_doubt(self.champion, self.metric)

    @property
    def value(self) -> float | None:
        """The task's metric on all test rows."""
        return self.test.metrics[self.metric].value


class Evaluation(Tested):
    """All that `evaluate` found out about one task."""

    task: str = ""
    problem: Literal["classification", "regression"] | None = None
    higher_is_better: bool
    explanation: str
    candidates: Items[Candidate]
    encoder_gains: Items[EncoderGain] = ()
    labels: Items[str] = ()
    decision: str | None
    worst_slice: Slice | None = None
    slices: Items[Slice]
    importances: Importances
    learning_curve: LearningCurve | None = None

    @property
    def trained(self) -> Trained:
        """The champion's record; raises StopIteration unless `read_evaluation` checked it."""
        return next(found.trained for found in self.candidates if found.model == self.champion)


def parse_evaluation(content: object, where: str) -> Evaluation:
    """Check the content of an ``evaluation.json``.

    Raises PipelineError that names ``where``, and each key with the value seen.
    """
    evaluation = Evaluation.parse(content, where)
    if evaluation.champion not in [candidate.model for candidate in evaluation.candidates]:
        raise PipelineError(
            f"{where}: the champion {evaluation.champion!r} is none of the candidates; run "
            "`dvc repro evaluate-<task>`"
        )
    return evaluation


def read_evaluation(folder: Path) -> Evaluation:
    """Read ``evaluation.json`` of an evaluated folder; raises as `parse_evaluation` does."""
    path = folder / "evaluation.json"
    return parse_evaluation(read_json(path), str(path))
