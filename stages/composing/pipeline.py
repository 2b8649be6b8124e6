"""``dvc.yaml`` and each task's parameters, from the stages' declarations and ``params.yaml``."""

from importlib import import_module
from pathlib import Path
from typing import Any

from stages.composing import dvcfile, parameters
from stages.composing.declared import Declared
from stages.composing.labels import Labels
from stages.contract.task import Task
from stages.runner import imports
from stages.runner.declare import Stage
from stages.shared.encoder import Encoder
from stages.shared.errors import PipelineError
from stages.shared.model import Model
from stages.tuning.space import Range
from stages.validating.rules import check_rules

# In the data's order.
VERBS = ("fetch", "prepare", "validate", "tune", "train", "fine_tune", "evaluate", "export")


def render_pipeline(params: Any) -> str:
    """Return the text of ``dvc.yaml``; raises PipelineError for a contract that does not hold."""
    return dvcfile.render(declared_stages(), read_declared(params))


def render_tasks(params: Any) -> dict[Path, str]:
    """Return the text of each task's file of parameters; raises PipelineError as above."""
    return parameters.render_parameters(declared_stages(), read_declared(params), params)


def read_declared(params: Any) -> Declared:
    """Return what a composed ``params.yaml`` declares; raises PipelineError as above."""
    models = {
        name: Model.parse(content, f"conf/model/{name}.yaml")
        for name, content in params["model"].items()
    }
    encoders = {
        name: Encoder.parse(content, f"conf/encoder/{name}.yaml")
        for name, content in params.get("encoder", {}).items()
    }
    tasks = {name: check_task(name, it, models) for name, it in params["task"].items()}
    for name, task in tasks.items():
        check_tuning(name, task, params.get("tune", {}))
    return Declared(
        problems={name: task.target.problem for name, task in tasks.items()},
        models={name: list(task.models) for name, task in tasks.items()},
        encoders={name: check_encoders(name, task, encoders) for name, task in tasks.items()},
        tuned={name: list(task.tune) for name, task in tasks.items()},
        libraries={name: imports.distribution(model.package) for name, model in models.items()},
        labels=Labels(tasks, models),
    )


def declared_stages() -> list[Stage[Any]]:
    """Return the declaration of each stage, in the data's order."""
    return [import_module(f"stages.{verb}").STAGE for verb in VERBS]


def check_task(name: str, content: Any, models: dict[str, Model]) -> Task:
    """Return the contract; raises PipelineError for a model or argument that does not exist."""
    where = f"conf/task/{name}.yaml"
    task = Task.parse(content, where)
    check_rules(task.checks, task.columns, where)
    for model, overrides in task.models.items():
        if model not in models:
            known = ", ".join(sorted(models))
            raise PipelineError(f"{where}: models.{model} has no conf/model/{model}.yaml ({known})")
        weighted = task.class_weight is not None
        models[model].with_overrides(
            task.target.problem, overrides, f"{where}: models.{model}", weighted
        )
    return task


def check_tuning(name: str, task: Task, spaces: Any) -> None:
    """Raise PipelineError for a model to tune that is none of the task's, or has no space."""
    where = f"conf/task/{name}.yaml: tune"
    for model in task.tune:
        if model not in task.models:
            raise PipelineError(f"{where}.{model} is none of its models ({', '.join(task.models)})")
        if model not in spaces:
            known = ", ".join(sorted(spaces))
            raise PipelineError(f"{where}.{model} has no conf/tune/{model}.yaml ({known})")
        for argument, content in spaces[model].items():
            Range.parse(content, f"conf/tune/{model}.yaml: {argument}")


def check_encoders(name: str, task: Task, encoders: dict[str, Encoder]) -> dict[str, Encoder]:
    """Return a task's encoders; raises PipelineError for one that is not there or of no use."""
    where = f"conf/task/{name}.yaml: encoders"
    if task.encoders and (not task.has_text or task.target.problem != "classification"):
        raise PipelineError(f"{where} = {list(task.encoders)}: they classify rows with a text")
    for encoder in task.encoders:
        if encoder not in encoders:
            known = ", ".join(sorted(encoders))
            raise PipelineError(f"{where}.{encoder} has no conf/encoder/{encoder}.yaml ({known})")
        if encoder in task.models:
            raise PipelineError(f"{where}.{encoder}: a model of the task has that name, too")
    return {it: encoders[it].with_overrides(o, f"{where}.{it}") for it, o in task.encoders.items()}
