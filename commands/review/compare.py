"""Compares one task's champion with the base's, on the test rows that both know."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from commands.review.flips import Flips, find_flips, find_kinds
from commands.review.out_of_fold import ask_out_of_fold
from commands.review.rows import find_shared_fields, match_equal_rows
from commands.review.side import EVALUATED, Side
from commands.review.store import MissingError
from commands.shared.paired import Difference, Question, Verdict, estimate_differences
from stages.evaluating.bootstrap import Bootstrap
from stages.evaluating.metrics import Rows, find_metric, metrics_for
from stages.evaluating.slices import cut_slices, explain_unscorable
from stages.shared.errors import PipelineError
from stages.shared.features import encode, encode_target
from stages.shared.folds import read_groups, take_groups
from stages.shared.schema import ROW

Array = np.ndarray[Any, np.dtype[Any]]
FEWEST = 20  # shared test rows below which nothing is said
# Of the error allowed; the rest is a reserve, for the bootstrap is somewhat too sure of itself.
METRICS_SHARE, OUT_OF_FOLD_SHARE, SLICES_SHARE = 0.4, 0.2, 0.1


@dataclass(frozen=True)
class Shared:
    """Both champions' predictions of the same test rows.

    ``X`` is the encoded matrix (n x fields) of the rows here, ``numbers`` their row numbers.
    """

    base: Rows
    here: Rows
    X: Array
    numbers: Array


@dataclass(frozen=True)
class Compared:
    """What became of a task: ``same`` predictions, ``compared`` ones, or why they are not.

    ``out_of_fold`` is the task's metric on the rows trained on, or ``no_out_of_fold`` says why that
    is not known. A loss of ``tolerance``, a share of the base's value, does not matter.
    """

    task: str
    state: Literal["same", "compared", "new", "removed", "unknown"]
    why: str = ""
    base: Side | None = None
    here: Side | None = None
    metrics: tuple[Difference, ...] = ()
    slices: tuple[Difference, ...] = ()
    shared: Shared | None = None
    flips: Flips | None = None
    kinds: Array = field(default_factory=lambda: np.empty(0))
    out_of_fold: Difference | None = None
    no_out_of_fold: str = ""
    tolerance: float = 0.0

    @property
    def own(self) -> Difference | None:
        """The task's own metric; None where it is undefined or nothing was compared."""
        if not self.metrics or not self.here:
            return None
        name = self.here.evaluation.metric
        return next((found for found in self.metrics if found.name == name), None)

    @property
    def evidence(self) -> tuple[Difference, ...]:
        """The task's own metric on the test rows and out of fold, as far as it is known."""
        return tuple(found for found in (self.own, self.out_of_fold) if found)

    @property
    def narrowest(self) -> Difference | None:
        """The evidence that rules out the most: its interval reaches least far into a loss."""
        return max(
            self.evidence, key=lambda found: found.gain[1] / abs(found.base or 1), default=None
        )

    @property
    def verdict(self) -> Verdict | None:
        """What all evidence says: a loss in either weighs more than a gain in the other."""
        verdicts = {found.judge(self.tolerance) for found in self.evidence}
        order: tuple[Verdict, ...] = ("worse", "better", "not worse", "inconclusive")
        return next((verdict for verdict in order if verdict in verdicts), None)


def is_same(base: Side, here: Side) -> bool:
    """Say whether the champions gave the same answers to the same rows, by what the locks say."""
    stages = [side.snapshot.stages.get(f"evaluate-{side.task}") for side in (base, here)]
    if stages[0] == stages[1]:
        return True
    names = [f"{EVALUATED}/{name}" for name in ("predictions.parquet", "metrics.json")]
    return all(base.digest(name) == here.digest(name) is not None for name in names)


def compare_sides(base: Side, here: Side, alpha: float, tolerance: float = 0.0) -> Compared:
    """Compare two evaluations; of equal models it calls any different with probability alpha."""
    try:
        shared = match_test_rows(base, here)
        numbers, base_rows, here_rows = shared.numbers, shared.base, shared.here
        bootstrap = _make_bootstrap(here, len(numbers))
        own, parts = _ask_overall(shared, here), _ask_by_slice(shared, here)
        out_of_fold, reason = _compare_out_of_fold(base, here, alpha * OUT_OF_FOLD_SHARE)
        return Compared(
            here.task,
            "compared",
            base=base,
            here=here,
            metrics=tuple(
                estimate_differences(
                    own, len(numbers), bootstrap, alpha * METRICS_SHARE, shared.here.groups
                )
            ),
            slices=tuple(
                estimate_differences(
                    parts, len(numbers), bootstrap, alpha * SLICES_SHARE, shared.here.groups
                )
            ),
            shared=shared,
            flips=find_flips(base_rows, here_rows, numbers, here.schema.labels),
            kinds=find_kinds(base_rows, here_rows),
            out_of_fold=out_of_fold,
            no_out_of_fold=reason,
            tolerance=tolerance,
        )
    except PipelineError as error:
        return Compared(here.task, "unknown", str(error), base, here)


def _compare_out_of_fold(base: Side, here: Side, alpha: float) -> tuple[Difference | None, str]:
    """Return the task's metric out of fold, or why it cannot be compared."""
    try:
        question = ask_out_of_fold(base, here)
    except PipelineError as error:
        return None, str(error)
    bootstrap = _make_bootstrap(here, question.rows)
    found = estimate_differences([question], question.rows, bootstrap, alpha, question.groups)
    return (found[0], "") if found else (None, f"{question.metric.name} is undefined there")


def match_test_rows(base: Side, here: Side) -> Shared:
    """Match the test rows by content; raises MissingError where they cannot be compared."""
    old, new = base.schema, here.schema
    if (old.problem, set(old.labels)) != (new.problem, set(new.labels)):
        raise MissingError(
            f"the target changed: {_describe_target(old.problem, old.labels)}, "
            f"now {_describe_target(new.problem, new.labels)}"
        )
    rows = match_equal_rows(base.test, here.test, find_shared_fields(old, new))
    if len(rows.here) < FEWEST:
        raise MissingError(
            f"only {len(rows.here)} of {len(here.test)} test rows are the base's, too: "
            f"fewer than {FEWEST} say nothing"
        )
    order = [old.labels.index(label) for label in new.labels]
    said = base.predictions[rows.base]
    truth = encode_target(here.test, new)[rows.here]
    groups = take_groups(read_groups(here.test, new), rows.here)
    return Shared(
        Rows(truth, said[:, order] if order else said, base.rule, groups),
        Rows(truth, here.predictions[rows.here], here.rule, groups),
        encode(here.test.iloc[rows.here], new),
        here.test[ROW].to_numpy()[rows.here],
    )


def _ask_overall(shared: Shared, here: Side) -> list[Question]:
    """Ask for each metric that has a better and a worse, the task's own first."""
    known = [metric for metric in metrics_for(here.schema.problem) if metric.direction]
    known.sort(key=lambda metric: metric.name != here.evaluation.metric)
    everywhere = np.ones(len(shared.numbers), dtype=bool)
    return [
        Question.of(metric.name, metric, shared.base, shared.here, everywhere) for metric in known
    ]


def _ask_by_slice(shared: Shared, here: Side) -> list[Question]:
    metric = find_metric(here.evaluation.metric, here.schema.problem, "evaluation.json: metric")
    groups = here.snapshot.params["evaluation"]["slices"]
    return [
        Question.of(f"{part.column} = {part.label}", metric, shared.base, shared.here, part.mask)
        for part in cut_slices(here.schema.fields, shared.X, groups)
        if explain_unscorable(shared.here.part(part.mask), metric) is None
    ]


def _make_bootstrap(here: Side, rows: int) -> Bootstrap:
    found = here.snapshot.params["evaluation"]
    return Bootstrap.affordable(found["resamples"], rows, found["confidence"], found["seed"])


def _describe_target(problem: str, labels: Sequence[str]) -> str:
    return f"{problem} of {', '.join(labels)}" if labels else problem
