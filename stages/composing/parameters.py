"""``data/composed/<task>.yaml``: of ``params.yaml``, what the stages of one task declare.

For each stage DVC parses the whole file that its parameters stand in. With a file a task, what a
stage costs does not grow with the number of tasks. The guard writes these files, so that they hold
an experiment's own values, too.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dvc.utils.serialize import dumps_yaml

from stages.composing.declared import AnyStage, Declared, find_library, list_items, list_libraries
from stages.runner.declare import COMPOSED, lookup


def format_path(task: str) -> str:
    """Return the path of a task's file; ``task`` may be a template."""
    return (COMPOSED / f"{task}.yaml").as_posix()


def name_libraries(names: Sequence[str]) -> list[str]:
    """Return the keys under which `params.yaml` has the versions of libraries."""
    return [f"libraries.{name}" for name in names]


def render_parameters(
    stages: Sequence[AnyStage], declared: Declared, params: Any
) -> dict[Path, str]:
    """Return the text of each task's file: the keys that its stages declare, and no other."""
    found: dict[str, dict[str, Any]] = {task: {} for task in declared.problems}
    keys = dict.fromkeys(_list_keys(stages, declared))
    for task, key in sorted(keys, key=lambda pair: pair[1].count(".")):  # a whole before its parts
        _set_value(found[task], key.split("."), lookup(params, key))
    return {Path(format_path(task)): dumps_yaml(content) for task, content in found.items()}


def _list_keys(stages: Sequence[AnyStage], declared: Declared) -> Iterator[tuple[str, str]]:
    """Yield a task and a key for each parameter that one of its stages declares."""
    for stage in stages:
        libraries = list_libraries(stage, declared)
        for item in list_items(stage, declared):
            own = find_library(item, declared)
            keys = [key.format(**item) for key in stage.params.list_keys().values()]
            for key in [*keys, *name_libraries([*libraries, *([own] if own else [])])]:
                yield item["task"], key


def _set_value(content: dict[str, Any], parts: Sequence[str], value: Any) -> None:
    """Set the value at a dotted key, unless it is there as part of another."""
    for part in parts[:-1]:
        content = content.setdefault(part, {})
    content.setdefault(parts[-1], value)
