"""Searches better arguments for one model of one task: ``python -m stages.tune heart xgboost``.

Off until a task says ``tune: { xgboost: }``. Sees no test row. What it finds changes nothing until
``make adopt TASK=heart MODEL=xgboost`` writes it into ``conf/``.
"""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import pandas as pd

from stages.contract.cross_validation import CrossValidation
from stages.contract.tuning import Tuning
from stages.evaluating.metrics import DecisionRule, find_metric
from stages.runner import imports
from stages.runner.declare import At, Stage
from stages.shared.features import encode, encode_target
from stages.shared.folds import read_groups
from stages.shared.model import Model
from stages.shared.schema import read_schema
from stages.shared.storage import read_frame, sha256, write_json, write_text
from stages.training.fitting import Recipe
from stages.training.recipe import RecipeParams, build_recipe, resolve_model
from stages.tuning.objective import Objective
from stages.tuning.space import Range, Values


class TuneParams(RecipeParams):
    """A model family, what the task changes in it, how it is scored, and where to search."""

    model: Annotated[Model, At("model.{tuned}")]
    overrides: Annotated[dict[str, Any] | None, At("task.{task}.models.{tuned}")]
    space: Annotated[dict[str, Range], At("tune.{tuned}")]
    tuning: Annotated[Tuning | None, At("task.{task}.tune.{tuned}")]
    metric: Annotated[str, At("task.{task}.metric")]
    threshold: Annotated[str | float, At("evaluation.threshold")]
    bins: Annotated[int, At("evaluation.bins")]
    cv: Annotated[CrossValidation, At("task.{task}.cv")]


ROWS = ("train", "validation")
FOLDER = "data/tuned/{task}/{tuned}"
STAGE = Stage(
    verb="tune",
    desc="Search better arguments of {tuned} for {task}, for a person to adopt",
    params=TuneParams,
    over=("task", "tuned"),
    effort=20,
    deps=(
        "data/prepared/{task}/train.parquet",
        "data/prepared/{task}/validation.parquet",
        "data/prepared/{task}/schema.json",
        "data/validated/{task}/verdict",
    ),
    outs=(f"{FOLDER}/best.yaml", f"{FOLDER}/plots"),
    scratch=("data/studies/{task}/{tuned}",),
)


@dataclass(frozen=True)
class Problem:
    """The recipe as it stands, and how a change to it is scored."""

    params: TuneParams
    recipe: Recipe
    objective: Objective
    where: str

    def score_folds(self, values: Values) -> Iterator[float]:
        """Yield the score on each fold with ``values`` laid over what the task has."""
        model = resolve_model(self.params, self.recipe.schema, self.where, values)
        yield from self.objective.score_folds(replace(self.recipe, model=model))


def main(task: str, tuned: str) -> None:
    """Write the best arguments found, what the present ones score, and two plots."""
    # Here, so that who only reads the declaration (`make compose`) does without Optuna.
    from stages.tuning.results import compute_importances, list_history, render_best
    from stages.tuning.study import open_study, search

    params = STAGE.load(task=task, tuned=tuned)
    prepared, folder = Path("data/prepared", task), Path("data/tuned", task, tuned)
    problem = build_problem(params, prepared, f"conf/task/{task}.yaml: models.{tuned}")
    metric = problem.objective.metric
    study = open_study(
        Path("data/studies", task, tuned),
        f"{task}-{tuned}-{hash_inputs(task, tuned, prepared)}",
        metric.direction,
    )
    before = fmean(problem.score_folds({}))
    found = search(study, params.space, params.tuning or Tuning(), problem.score_folds)
    write_text(folder / "best.yaml", render_best(found[0], study, before, metric.name))
    write_json(folder / "plots/history.json", list_history(found))
    write_json(folder / "plots/importances.json", compute_importances(study))


def build_problem(params: TuneParams, prepared: Path, where: str) -> Problem:
    """Read the rows and lay the task's own arguments over the model family."""
    schema = read_schema(prepared)
    rows = pd.concat([read_frame(prepared / f"{part}.parquet") for part in ROWS])
    metric = find_metric(params.metric, schema.problem, f"{where.split(':')[0]}: metric")
    rule = DecisionRule(
        params.threshold if isinstance(params.threshold, float) else 0.5, bins=params.bins
    )
    X, y = encode(rows, schema), encode_target(rows, schema)
    objective = Objective(X, y, read_groups(rows, schema), params.cv, metric, rule)
    return Problem(params, build_recipe(params, schema, where), objective, where)


def hash_inputs(task: str, tuned: str, prepared: Path) -> str:
    """Return a hash of all that scores depend on: another search begins where it differs."""
    facts = [STAGE.fingerprint(task=task, tuned=tuned), imports.hash_code(STAGE.verb)]
    names = (*(f"{part}.parquet" for part in ROWS), "schema.json")
    facts += [sha256(prepared / name) for name in names]
    return hashlib.sha256("".join(facts).encode()).hexdigest()[:16]


if __name__ == "__main__":
    STAGE.run(main)
