"""What ``conf/`` declares, and over which of that each stage goes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.composing.labels import Labels
from stages.runner import imports
from stages.runner.declare import Stage
from stages.shared.encoder import Encoder

AnyStage = Stage[Any]
Item = dict[str, str]


@dataclass(frozen=True)
class Declared:
    """What ``conf/`` declares: of each task its problem, its models and its encoders.

    ``libraries`` maps each model to the library that it comes from; ``tuned`` has the models of
    each task that are to be tuned, ``windows`` the tasks with a window to monitor.
    ``labels`` has what plots say of each task and its models.
    """

    problems: dict[str, str]
    models: dict[str, list[str]]
    encoders: dict[str, dict[str, Encoder]]
    libraries: dict[str, str]
    tuned: dict[str, list[str]]
    windows: list[str]
    labels: Labels

    def list_families(self, task: str, axis: str) -> list[str]:
        """Return the task's models, those tuned, its encoders, or both kinds as ``candidate``."""
        found = {"model": self.models[task], "encoder": list(self.encoders[task])}
        found["tuned"] = self.tuned[task]
        return found[axis] if axis in found else [*found["model"], *found["encoder"]]


def list_items(stage: AnyStage, declared: Declared) -> list[Item]:
    """Return what the stage goes over: tasks, or a task's models or encoders, by name."""
    if len(stage.over) == 1:
        named = declared.windows if stage.needs_window else declared.problems
        return [{"task": task} for task in named]
    axis = stage.over[1]
    return [
        {"task": task, axis: name}
        for task in declared.problems
        for name in declared.list_families(task, axis)
    ]


def find_library(item: Item, declared: Declared) -> str | None:
    """Return the distribution that an item's model or encoder comes from, if it has one."""
    if model := item.get("model", item.get("tuned")):
        return declared.libraries[model]
    if "encoder" not in item:
        return None
    encoder = declared.encoders[item["task"]][item["encoder"]]
    return imports.find_distribution(encoder.package or "transformers")


def list_code(stage: AnyStage) -> list[Path]:
    """Return every file of this repository that the stage runs."""
    return imports.list_modules(Path("stages", f"{stage.verb}.py"))


def list_libraries(stage: AnyStage, declared: Declared) -> list[str]:
    """Return the distributions that the stage runs on, whatever the item."""
    used = set(imports.list_libraries(list_code(stage)))
    if stage.runs_models:
        used |= set(declared.libraries.values())
    return sorted(used)
