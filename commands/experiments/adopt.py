"""Writes what `tune` found into the task's file: ``python -m commands adopt TASK MODEL``.

Changes the values of that model and nothing else; review the change with git before it is trained.
"""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from commands.experiments.adopting.yaml_text import set_value
from stages.shared.errors import PipelineError
from stages.shared.storage import write_text


def adopt(task: str, model: str) -> None:
    """Adopt, and say what it is expected to gain; refuse what is no better than before."""
    found = read_best(task, model)
    path = Path("conf/task", f"{task}.yaml")
    write_text(path, adopt_values(path.read_text(encoding="utf-8"), model, found["values"]))
    print(f"{path}: models.{model}: {found['metric']} {found['before']} → {found['after']}")
    print("in cross-validation, and flattered by the search; `make repro` trains it")


def read_best(task: str, model: str) -> dict[str, Any]:
    """Read what the search found; raises PipelineError where there is nothing better."""
    path = Path("data/tuned", task, model, "best.yaml")
    if not path.exists():
        raise PipelineError(
            f"{path} is not here: put  tune: {{ {model}: }}  into conf/task/{task}.yaml, then "
            f"`make compose` and `dvc repro tune@{task}-{model}`"
        )
    found: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    gain = (found["after"] - found["before"]) * (1 if found["better"] == "higher" else -1)
    if gain <= 0:
        raise PipelineError(
            f"{path}: {found['metric']} {found['after']} is no better than {found['before']}, "
            f"which the present arguments reach: nothing to adopt"
        )
    return found


def adopt_values(text: str, model: str, values: dict[str, Any]) -> str:
    """Return the task's text with ``values`` laid over the model's own, all else as it was."""
    for name, value in values.items():
        text = set_value(text, ("models", model, name), value)
    return text
