"""What ``data/composed`` holds: of each stage its parameters, and what it runs.

For each stage DVC parses the whole file that its parameters stand in, and looks at each of its
dependencies. With a file of its own, and one dependency for all of its code, what a stage costs
does not grow with the number of tasks. The guard writes these files, so that they hold an
experiment's own values, too.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvc.utils.serialize import dumps_yaml

from stages.composing.declared import (
    AnyStage,
    Declared,
    find_library,
    list_code,
    list_items,
    list_libraries,
)
from stages.runner.declare import lookup


def name_libraries(names: Sequence[str]) -> list[str]:
    """Return the keys under which `params.yaml` has the versions of libraries."""
    return [f"libraries.{name}" for name in names]


def render_parameters(
    stages: Sequence[AnyStage], declared: Declared, params: Any
) -> dict[Path, str]:
    """Return the text of each stage's file: the keys that it declares, and no other."""
    found = {}
    for stage in stages:
        for item in list_items(stage, declared):
            own = find_library(item, declared)
            keys = [key.format(**item) for key in stage.params.list_keys().values()]
            content = _select_keys(params, [*keys, *name_libraries([own] if own else [])])
            found[Path(stage.format_params(item))] = dumps_yaml(content)
    return found


def render_code(stages: Sequence[AnyStage], declared: Declared, params: Any) -> dict[Path, str]:
    """Return for each stage the hash of each file of ours that it runs, and library's version."""
    return {
        Path(stage.format_code()): (
            f"# What `{stage.verb}` runs: where a line changes, its stages run again.\n"
            + dumps_yaml(_describe_code(stage, declared, params))
        )
        for stage in stages
        if list_items(stage, declared)
    }


def _describe_code(stage: AnyStage, declared: Declared, params: Any) -> dict[str, Any]:
    code = sorted(list_code(stage))
    return {
        "code": {
            path.as_posix(): hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            for path in code
        },
        "libraries": {
            name: lookup(params, key)
            for name in list_libraries(stage, declared)
            for key in name_libraries([name])
        },
    }


def _select_keys(params: Any, keys: Sequence[str]) -> dict[str, Any]:
    """Return the part of ``params`` that lies under the keys."""
    content: dict[str, Any] = {}
    for key in sorted(dict.fromkeys(keys), key=lambda key: key.count(".")):  # a whole before parts
        _set_value(content, key.split("."), lookup(params, key))
    return content


def _set_value(content: dict[str, Any], parts: Sequence[str], value: Any) -> None:
    """Set the value at a dotted key, unless it is there as part of another."""
    for part in parts[:-1]:
        content = content.setdefault(part, {})
    content.setdefault(parts[-1], value)
