"""Reads what `evaluate` left: as much of it as the export needs, and tolerant of the rest."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict

from stages.shared.errors import PipelineError
from stages.shared.frozen import Frozen, Items
from stages.shared.storage import read_json

T = TypeVar("T", bound="Known")


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


class Candidate(Known):
    """A candidate's place in the ranking."""

    model: str
    complexity: int
    mean: float
    standard_error: float | None
    chosen: bool
    trained: Trained


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

    For classes ``confusion`` counts rows: a list for each true class, in it each predicted one.
    """

    rows: int
    resamples: int
    confidence: float
    metrics: dict[str, Score]
    confusion: Items[Items[int]] | None


class Slice(Known):
    """The task's metric on a part of the test rows; without a value where they are too few."""

    column: str
    label: str
    rows: int
    value: float | None
    low: float | None
    high: float | None


class Importance(Known):
    """How much the metric gets worse when the column is shuffled."""

    column: str
    mean: float
    deviation: float


class Importances(Known):
    """Every column's importance, the most important first."""

    rows: int
    permutations: int
    columns: Items[Importance]


class Evaluated(Known):
    """``evaluation.json``, with the content of ``metrics.json`` as it is."""

    metric: str
    higher_is_better: bool
    champion: str
    explanation: str
    decision: str | None
    candidates: Items[Candidate]
    threshold: float | None
    interval: Interval | None
    test: Test
    slices: Items[Slice]
    importances: Importances
    metrics: dict[str, Any]

    @property
    def trained(self) -> Trained:
        return next(it.trained for it in self.candidates if it.model == self.champion)


def read_evaluated(folder: Path) -> Evaluated:
    """Read an evaluated folder; raises PipelineError that names file, key and value seen."""
    path = folder / "evaluation.json"
    content = {**read_json(path), "metrics": read_json(folder / "metrics.json")}
    evaluated = Evaluated.parse(content, str(path))
    if evaluated.champion not in [candidate.model for candidate in evaluated.candidates]:
        raise PipelineError(
            f"{path}: the champion {evaluated.champion!r} is none of the candidates; run "
            f"`dvc repro evaluate-{folder.name}`"
        )
    return evaluated
