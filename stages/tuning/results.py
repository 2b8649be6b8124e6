"""What a search has found, as files: the best arguments, and points for two plots."""

from collections.abc import Sequence
from io import StringIO
from typing import Any

from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from ruamel.yaml import YAML

from stages.evaluating.formatting import round_floats
from stages.tuning.study import list_counted, read_values

FEWEST = 4  # completed trials below which importances mean nothing
HEAD = "# `after` is the best of many trials, so it flatters itself.\n"


def render_best(best: FrozenTrial, study: Study, before: float, metric: str) -> str:
    """Return the text of ``best.yaml``."""
    content = {
        "metric": metric,
        "better": "higher" if study.direction.name == "MAXIMIZE" else "lower",
        "before": round_floats(before),
        "after": round_floats(best.value),
        "trials": len(list_counted(study)),
        "values": read_values(best),
    }
    text = StringIO()
    YAML().dump(content, text)
    return HEAD + text.getvalue()


def list_history(found: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """Return the score of each completed trial, in the order tried."""
    ordered = sorted(found, key=lambda trial: trial.number)
    note = f"{len(ordered)} trials that came to an end"
    return [
        {"trial": trial.number, "score": round_floats(trial.value), "note": note}
        for trial in ordered
    ]


def compute_importances(study: Study) -> list[dict[str, Any]]:
    """Return each argument's share of the scores' variance among good trials (PED-ANOVA).

    Watanabe et al. 2023, doi 10.24963/ijcai.2023/488.
    """
    if len(study.get_trials(states=(TrialState.COMPLETE,))) < FEWEST:
        return []
    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return [{"argument": name, "importance": round_floats(share)} for name, share in found.items()]
