"""Writes what `tune` found into the task's file: ``python -m commands adopt TASK MODEL``.

Changes the lines of that model and no other; review the change with git before it is trained.
"""

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.shared.errors import PipelineError
from stages.shared.storage import write_text


def adopt(task: str, model: str) -> None:
    """Adopt, and say what it is expected to gain; refuse what is no better than before."""
    found = read_best(task, model)
    path = Path("conf/task", f"{task}.yaml")
    write_text(path, adopted(path.read_text(encoding="utf-8"), model, found["values"], str(path)))
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


def adopted(text: str, model: str, values: dict[str, Any], where: str) -> str:
    """Return the task's text with ``values`` laid over the model's own, all else as it was.

    Raises PipelineError where the models do not stand on lines of their own.
    """
    content = YAML().load(text)
    models = content["models"]
    line, column = models.lc.key(model) if model in models else (0, 0)
    lines = text.splitlines()
    merged = {**(models.get(model) or {}), **values}
    entry = f"{model}: {{ {', '.join(f'{k}: {_word(v)}' for k, v in merged.items())} }}"
    if not lines[line].startswith(f"{' ' * column}{model}:") or not column:
        raise PipelineError(f"{where}: models.{model} has no line of its own: write there\n{entry}")
    end = _end(lines, line, column)
    return "\n".join([*lines[:line], " " * column + entry, *lines[end:]]) + "\n"


def _end(lines: list[str], start: int, column: int) -> int:
    """Return the number of the first line behind the entry that begins at ``start``."""
    end = start + 1
    for number in range(start + 1, len(lines)):
        text = lines[number]
        if text.strip() and len(text) - len(text.lstrip()) <= column:
            break
        if text.strip():
            end = number + 1
    return end


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
