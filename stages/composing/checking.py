"""Holds a composed ``params.yaml`` against every type that a stage reads it as.

What can be known to be wrong before the first stage runs is refused here, by file, key, value and
what there is to choose from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import pydantic

from stages.composing.estimators import try_arguments
from stages.composing.files import CONF, locate_key
from stages.contract.task import Task
from stages.contract.types import Problem
from stages.evaluating.metrics import find_metric
from stages.runner.declare import Params, Stage, lookup
from stages.shared.encoder import Encoder
from stages.shared.errors import PipelineError
from stages.shared.frozen import Frozen, describe_problem, name_place
from stages.shared.model import Model
from stages.tuning.space import Range
from stages.validating.rules import check_rules

# In the data's order.
VERBS = (
    *("fetch", "prepare", "validate", "tune", "train", "fine_tune", "evaluate", "export"),
    *("calibrate", "monitor"),
)
# Beside what a stage declares.
SECTIONS = ("task", "model", "encoder", "tune", "libraries", "source", "report", "promotion")
F = TypeVar("F", bound=Frozen)


@dataclass(frozen=True)
class Configuration:
    """What ``conf/`` says, typed; ``encoders`` has those of each task, with its changes."""

    tasks: dict[str, Task]
    models: dict[str, Model]
    encoders: dict[str, dict[str, Encoder]]


def check_configuration(params: Any) -> Configuration:
    """Return the typed configuration; raises PipelineError for what does not hold."""
    models = {name: check_model(params, name) for name in params["model"]}
    named = params.get("encoder", {})
    encoders = {name: parse_section(Encoder, params, f"encoder.{name}") for name in named}
    tasks = {name: check_task(params, name, models) for name in params["task"]}
    for model in params.get("tune", {}):
        check_space(params, model, models)
    for name, task in tasks.items():
        check_tuning(name, task, params.get("tune", {}))
    chosen = {name: check_encoders(name, task, encoders) for name, task in tasks.items()}
    check_stages(params, tasks)
    return Configuration(tasks, models, chosen)


def check_one_task(params: Any, name: str) -> None:
    """Hold one task against its types; raises PipelineError as for the whole configuration."""
    models = {model: parse_section(Model, params, f"model.{model}") for model in params["model"]}
    named = params.get("encoder", {})
    task = check_task(params, name, models)
    check_tuning(name, task, params.get("tune", {}))
    check_encoders(
        name, task, {key: parse_section(Encoder, params, f"encoder.{key}") for key in named}
    )
    check_stages(params, {name: task})


def list_stages() -> list[Stage[Any]]:
    """Return the declaration of each stage, in the data's order."""
    return [import_module(f"stages.{verb}").STAGE for verb in VERBS]


def parse_section(kind: type[F], params: Any, key: str) -> F:
    """Return a section of ``params`` as a typed object.

    Raises PipelineError with the file in ``conf/`` that holds each wrong key, the value seen, and
    the choices.
    """
    return _parse(kind, lookup(params, key), lambda place: [*key.split("."), *place])


def _parse(kind: type[F], content: Any, name_key: Any) -> F:
    try:
        return kind.model_validate(content)
    except pydantic.ValidationError as error:
        problems: dict[str, list[str]] = {}
        for item in error.errors():
            file, key = locate_key(name_key(name_place(item)))
            problems.setdefault(file.as_posix(), []).append(describe_problem(kind, item, key))
        listing = "\n".join(
            f"{file} cannot be used:\n" + "\n".join(f"  {line}" for line in dict.fromkeys(lines))
            for file, lines in problems.items()
        )
        raise PipelineError(listing) from error


def check_model(params: Any, name: str) -> Model:
    """Return a model family; raises PipelineError for an estimator or argument that is none."""
    model = parse_section(Model, params, f"model.{name}")
    where = f"{CONF}/model/{name}.yaml"
    for problem in model.target:
        merged = model.with_overrides(problem, {}, where)
        try_arguments(merged, problem, merged.arguments, where)
    return model


def check_task(params: Any, name: str, models: Mapping[str, Model]) -> Task:
    """Return a contract; raises PipelineError for what it names and there is not."""
    where = f"{CONF}/task/{name}.yaml"
    task = parse_section(Task, params, f"task.{name}")
    check_rules(task.checks, task.columns, where)
    problem = task.target.problem
    find_metric(task.metric, problem, f"{where}: metric")
    for model, overrides in task.models.items():
        if model not in models:
            known = ", ".join(sorted(models))
            raise PipelineError(f"{where}: models.{model} has no conf/model/{model}.yaml ({known})")
        inside, weighted = f"{where}: models.{model}", task.class_weight is not None
        merged = models[model].with_overrides(problem, overrides, inside, weighted)
        if overrides:
            try_arguments(merged, problem, overrides, inside, len(task.target.labels) or 2)
    return task


def check_space(params: Any, name: str, models: Mapping[str, Model]) -> None:
    """Raise PipelineError for a search over what is no model's argument, or no value of it."""
    where = f"{CONF}/tune/{name}.yaml"
    if name not in models:
        raise PipelineError(f"{where} has no conf/model/{name}.yaml ({', '.join(sorted(models))})")
    spaces = {
        argument: parse_section(Range, params, f"tune.{name}.{argument}")
        for argument in params["tune"][name]
    }
    taken = {argument: _list_problems_taking(models[name], argument, where) for argument in spaces}
    for problem in models[name].target:
        able = {argument: space for argument, space in spaces.items() if problem in taken[argument]}
        for values in _list_corners(able):
            merged = models[name].with_overrides(problem, values, where)
            try_arguments(merged, problem, values, where)


def _list_corners(spaces: Mapping[str, Range]) -> Iterator[dict[str, Any]]:
    """Yield values that try each end of each range, and each choice, in as few fits as can be."""
    ends = {name: space.choices or (space.low, space.high) for name, space in spaces.items()}
    for number in range(max(map(len, ends.values()), default=0)):
        yield {name: values[min(number, len(values) - 1)] for name, values in ends.items()}


def _list_problems_taking(model: Model, argument: str, where: str) -> list[Problem]:
    """Return the problems whose estimator takes an argument; raises PipelineError for none."""
    refusals, able = [], []
    for problem in model.target:
        try:
            model.with_overrides(problem, {argument: None}, where)
            able.append(problem)
        except PipelineError as error:
            refusals.append(error)
    if not able:
        raise refusals[0]
    return able


def check_tuning(name: str, task: Task, spaces: Any) -> None:
    """Raise PipelineError for a model to tune that is none of the task's, or has no space."""
    where = f"{CONF}/task/{name}.yaml: tune"
    for model in task.tune:
        if model not in task.models:
            raise PipelineError(f"{where}.{model} is none of its models ({', '.join(task.models)})")
        if model not in spaces:
            known = ", ".join(sorted(spaces))
            raise PipelineError(f"{where}.{model} has no conf/tune/{model}.yaml ({known})")


def check_encoders(name: str, task: Task, encoders: Mapping[str, Encoder]) -> dict[str, Encoder]:
    """Return a task's encoders; raises PipelineError for one that is not there or of no use."""
    where = f"{CONF}/task/{name}.yaml: encoders"
    if task.encoders and (not task.has_text or task.target.problem != "classification"):
        raise PipelineError(f"{where} = {list(task.encoders)}: they classify rows with a text")
    for encoder in task.encoders:
        if encoder not in encoders:
            known = ", ".join(sorted(encoders))
            raise PipelineError(f"{where}.{encoder} has no conf/encoder/{encoder}.yaml ({known})")
        if encoder in task.models:
            raise PipelineError(f"{where}.{encoder}: a model of the task has that name, too")
    return {
        encoder: encoders[encoder].with_overrides(overrides, f"{where}.{encoder}")
        for encoder, overrides in task.encoders.items()
    }


def check_stages(params: Any, tasks: Mapping[str, Task]) -> None:
    """Hold each stage's parameters against their types, and refuse sections that nothing reads.

    Raises PipelineError with the file, the key and the value.
    """
    stages = list_stages()
    known = {key.split(".")[0] for stage in stages for key in stage.params.list_keys().values()}
    for section in params:
        if section not in {*known, *SECTIONS}:
            choices = ", ".join(sorted({*known, *SECTIONS}))
            raise PipelineError(
                f"{CONF}/config.yaml: {section} = {params[section]!r}: nothing reads this section; "
                f"there are {choices}"
            )
    for stage in stages:
        for item in _list_items(stage, tasks):
            _check_params(stage.params, params, item)


def _list_items(stage: Stage[Any], tasks: Mapping[str, Task]) -> list[dict[str, str]]:
    """Return what a stage runs for: each task, or its models, encoders or models to tune."""
    if len(stage.over) == 1:
        return [{"task": name} for name in tasks if tasks[name].window or not stage.needs_window]
    axis = stage.over[1]
    field = {"model": "models", "encoder": "encoders", "tuned": "tune"}[axis]
    return [
        {"task": name, axis: choice}
        for name, task in tasks.items()
        for choice in getattr(task, field)
    ]


def _check_params(kind: type[Params], params: Any, item: Mapping[str, str]) -> None:
    keys = {name: key.format(**item) for name, key in kind.list_keys().items()}
    content = {name: lookup(params, key) for name, key in keys.items()}

    def name_key(place: Sequence[str]) -> list[str]:
        return [*keys[place[0]].split("."), *place[1:]]

    _parse(kind, content, name_key)
