"""What a search has found, as files: the best arguments, and points for two plots."""

from collections.abc import Sequence
from io import StringIO
from typing import Any

from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from ruamel.yaml import YAML

from stages.evaluating.figures import rounded
from stages.tuning.study import counted, values_of

FEWEST = 4  # completed trials below which importances mean nothing
HEAD = "# `after` is the best of many trials, so it flatters itself.\n"


def written(best: FrozenTrial, study: Study, before: float, metric: str) -> str:
    """Return the text of ``best.yaml``."""
    content = {
        "metric": metric,
        "better": "higher" if study.direction.name == "MAXIMIZE" else "lower",
        "before": rounded(before),
        "after": rounded(best.value),
        "trials": len(counted(study)),
        "values": values_of(best),
    }
    text = StringIO()
    YAML().dump(content, text)
    return HEAD + text.getvalue()


def history(found: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """Return the score of each completed trial, in the order tried."""
    ordered = sorted(found, key=lambda trial: trial.number)
    return [{"trial": it.number, "score": rounded(it.value)} for it in ordered]


def importances(study: Study) -> list[dict[str, Any]]:
    """Return each argument's share of the scores' variance among good trials (PED-ANOVA).

    Watanabe et al. 2023, doi 10.24963/ijcai.2023/488.
    """
    if len(study.get_trials(states=(TrialState.COMPLETE,))) < FEWEST:
        return []
    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return [{"argument": name, "importance": rounded(it)} for name, it in found.items()]
