"""Lets the candidates compete. No test row has been read when this is done."""

from dataclasses import dataclass
from typing import Any

from stages.evaluating.candidates import OutOfFold
from stages.evaluating.decision import Decision, decide
from stages.evaluating.metrics import Array
from stages.evaluating.ranking import Candidate, Choice, choose
from stages.evaluating.settings import EvaluationContext
from stages.shared.errors import PipelineError
from stages.shared.folds import count_groups


@dataclass(frozen=True)
class ModelSelection:
    """The candidates, the champion, the rule it is tested by, and every candidate.json.

    ``rows`` is the number of rows that every candidate predicted out of fold.
    """

    candidates: tuple[Candidate, ...]
    choice: Choice
    decision: Decision
    trained: dict[str, dict[str, Any]]
    rows: int


def select_model(
    context: EvaluationContext,
    trained: dict[str, tuple[dict[str, Any], OutOfFold]],
    truth: Array,
    groups: Array | None = None,
) -> ModelSelection:
    """Score every candidate on the same folds, choose, and fix the champion's threshold.

    ``trained`` maps a model to its ``candidate.json`` and its out-of-fold predictions of the rows
    whose target is ``truth``; rows of one of the ``groups`` count once. Raises PipelineError where
    folds differ or a score is undefined.
    """
    _check_folds(context, trained)
    candidates = tuple(
        score_candidate(context, name, facts, predictions, truth)
        for name, (facts, predictions) in trained.items()
    )
    choice = choose(candidates, context.metric)
    units = count_groups(groups, len(truth))
    decision = decide(context, trained[choice.champion.name][1], truth, units)
    facts_of = {name: facts for name, (facts, _) in trained.items()}
    return ModelSelection(candidates, choice, decision, facts_of, len(truth))


def score_candidate(
    context: EvaluationContext,
    name: str,
    facts: dict[str, Any],
    predictions: OutOfFold,
    truth: Array,
) -> Candidate:
    """Return the candidate with its score on each fold."""
    candidate = Candidate(
        name,
        facts["complexity"],
        predictions.score_folds(truth, context.metric, context.ranking_rule),
    )
    if candidate.mean != candidate.mean:  # NaN
        raise PipelineError(
            f"{context.metric.name} is undefined on some fold of {name}, because a class is absent "
            f"there: lower cv.folds in conf/task/{context.task}.yaml"
        )
    return candidate


def _check_folds(
    context: EvaluationContext, trained: dict[str, tuple[dict[str, Any], OutOfFold]]
) -> None:
    folds = [predictions.folds for _, predictions in trained.values()]
    for name, other in zip(trained, folds, strict=True):
        if other.shape != folds[0].shape or (other != folds[0]).any():
            raise PipelineError(
                f"{name} and {next(iter(trained))} were scored on different folds: "
                f"run `dvc repro evaluate-{context.task}`, which trains both again"
            )
