"""Lets the candidates compete. No test row has been read when this is done."""

from dataclasses import dataclass
from typing import Any

from stages.evaluating.candidates import OutOfFold
from stages.evaluating.decision import Decision, decide
from stages.evaluating.metrics import Array
from stages.evaluating.selection import Candidate, Choice, choose
from stages.evaluating.settings import Exam
from stages.shared.errors import PipelineError


@dataclass(frozen=True)
class Contest:
    """The candidates, the champion, the terms on which it is tested, and every candidate.json."""

    candidates: tuple[Candidate, ...]
    choice: Choice
    decision: Decision
    trained: dict[str, dict[str, Any]]


def hold_contest(
    exam: Exam, trained: dict[str, tuple[dict[str, Any], OutOfFold]], truth: Array
) -> Contest:
    """Score every candidate on the same folds, choose, and fix the champion's threshold.

    ``trained`` maps a model to its ``candidate.json`` and its out-of-fold predictions of the rows
    whose target is ``truth``. Raises PipelineError where folds differ or a score is undefined.
    """
    _check_folds(exam, trained)
    candidates = tuple(
        scored(exam, name, facts, predictions, truth)
        for name, (facts, predictions) in trained.items()
    )
    choice = choose(candidates, exam.metric)
    decision = decide(exam, trained[choice.champion.name][1], truth)
    facts_of = {name: facts for name, (facts, _) in trained.items()}
    return Contest(candidates, choice, decision, facts_of)


def scored(
    exam: Exam, name: str, facts: dict[str, Any], predictions: OutOfFold, truth: Array
) -> Candidate:
    """Return the candidate with its score on each fold."""
    candidate = Candidate(
        name, facts["complexity"], predictions.scores(truth, exam.metric, exam.ranking_terms)
    )
    if candidate.mean != candidate.mean:  # NaN
        raise PipelineError(
            f"{exam.metric.name} is undefined on some fold of {name}, because a class is absent "
            f"there: lower cv.folds in conf/task/{exam.task}.yaml"
        )
    return candidate


def _check_folds(exam: Exam, trained: dict[str, tuple[dict[str, Any], OutOfFold]]) -> None:
    folds = [predictions.folds for _, predictions in trained.values()]
    for name, other in zip(trained, folds, strict=True):
        if other.shape != folds[0].shape or (other != folds[0]).any():
            raise PipelineError(
                f"{name} and {next(iter(trained))} were scored on different folds: "
                f"run `dvc repro evaluate-{exam.task}`, which trains both again"
            )
