"""What plots say of a task: its metric and which end of it is good, units, the loss of a fit."""

from collections.abc import Mapping
from dataclasses import dataclass

from stages.contract.task import Task
from stages.evaluating.metrics import Metric, find_metric
from stages.shared.model import Model

IN_THE_TARGETS_UNIT = ("rmse", "mae")
BETTER = {+1: "higher is better", -1: "lower is better"}


@dataclass(frozen=True)
class Labels:
    """The words for titles and axes, by the names that a ``Plot`` may hold between braces."""

    tasks: Mapping[str, Task]
    models: Mapping[str, Model]

    def describe_item(self, item: Mapping[str, str]) -> dict[str, str]:
        """Return the words for one ``item``: a task, or a task's model or encoder.

        Raises PipelineError for a metric that the task cannot have.
        """
        name, task = item["task"], self.tasks[item["task"]]
        metric = find_metric(task.metric, task.target.problem, f"conf/task/{name}.yaml: metric")
        words = {**_describe_metric(task, metric), **_describe_target(task)}
        model = item.get("model")
        return words | ({"steps": self._name_steps(task, model)} if model else {})

    def _name_steps(self, task: Task, model: str) -> str:
        boosted = self.models[model].is_boosted(task.target.problem)
        return "number of trees" if boosted else "share of the train rows fitted on, %"


def _describe_metric(task: Task, metric: Metric) -> dict[str, str]:
    unit = _format_unit(task) if metric.name in IN_THE_TARGETS_UNIT else ""
    return {"metric": f"{metric.name}{unit}", "better": BETTER[metric.direction]}


def _describe_target(task: Task) -> dict[str, str]:
    is_classification = task.target.problem == "classification"
    loss = "log loss" if is_classification else f"root mean squared error{_format_unit(task)}"
    name = task.target.expression
    return {"unit": _format_unit(task), "target": f"{name}{_format_unit(task)}", "loss": loss}


def _format_unit(task: Task) -> str:
    return f" in {task.target.unit}" if task.target.unit else ""
