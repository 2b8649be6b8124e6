"""Writes ``dvc.yaml`` from the stages' declarations, in the form a person would give it."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.composing.declared import (
    AnyStage,
    Declared,
    Item,
    find_library,
    list_code,
    list_items,
)
from stages.composing.files import LOCKS
from stages.composing.parameters import name_libraries
from stages.composing.plots import PLOTS, Plot
from stages.runner import imports
from stages.runner.declare import COMPOSED

HEADER = """\
# Written by `make compose` from the declarations in stages/ and the files in conf/; the guard stage
# `compose` holds them together, and writes data/composed: <verb>.yaml says which code and libraries
# a stage runs, <task>/<stage>.yaml is of params.yaml what it declares. `exec` makes DVC the parent
# of each stage, so that a stage ends when DVC is killed.
"""


def render_dvc_file(stages: Sequence[AnyStage], declared: Declared) -> str:
    """Return the text of ``dvc.yaml``."""
    blocks = [_render_guard(stages)]
    for stage in stages:
        blocks += _render_stage(stage, declared)
    ending = _render_plots(stages, declared)
    return f"{HEADER}stages:\n" + "\n".join(blocks) + ending


def _render_plots(stages: Sequence[AnyStage], declared: Declared) -> str:
    """Return the top-level ``plots:``, which unlike a stage's own can differ between tasks."""
    entries = [
        _render_plot(plot, **item, **declared.labels.describe_item(item))
        for task in declared.problems
        for stage in stages
        for plot in PLOTS.get(stage.verb, ())
        if plot.problem in (None, declared.problems[task])
        for item in list_items(stage, declared)
        if item["task"] == task
    ]
    return "\nplots:\n" + "".join(entries) if entries else ""


def _render_plot(plot: Plot, **item: str) -> str:
    names = ("title", "template", "x", "y", "x_label", "y_label")
    given = {name: value for name in names if (value := getattr(plot, name))}
    keys = {name: f" {_quote(value.format(**item))}" for name, value in given.items()}
    if plot.files:
        keys["y"] = "".join(f"\n        {file}: {plot.y}" for file in plot.files).format(**item)
    lines = [f"      {key}:{value}\n" for key, value in keys.items()]
    return f"  - {plot.file.format(**item)}:\n{''.join(lines)}"


def _quote(text: str) -> str:
    """Return a title or label as YAML has it: in quotes only where it would read otherwise."""
    plain = re.fullmatch(r"\w[\w ,.()±/%-]*", text) and YAML(typ="safe").load(text) == text
    return text if plain else json.dumps(text, ensure_ascii=False)


def _render_guard(stages: Sequence[AnyStage]) -> str:
    code = imports.list_modules(Path("stages/compose.py"))
    files = {path for stage in stages for path in list_code(stage)} | set(code)
    listed = [path.as_posix() for path in imports.list_dependencies(files)]
    deps = ["conf", "params.yaml", *LOCKS, *listed]
    return _format_block(
        "compose",
        desc="Stop at once where params.yaml or dvc.yaml is older than conf/",
        cmd="exec python -m stages.compose",
        deps=deps,  # the libraries are among them: conf/libraries.yaml has their versions
        outs=[COMPOSED.as_posix()],
    )


def _render_stage(stage: AnyStage, declared: Declared) -> list[str]:
    if any("{candidate}" in dep for dep in stage.deps):
        return [_render_for_task(stage, task, declared) for task in declared.problems]
    return [_render_template(stage, declared)] if list_items(stage, declared) else []


def _render_for_task(stage: AnyStage, task: str, declared: Declared) -> str:
    """Render one stage a task, because a template cannot hold a list whose length differs."""
    candidates = declared.list_families(task, "candidate")
    deps = [
        dep.format(task=task, candidate=name)
        for dep in stage.deps
        for name in (candidates if "{candidate}" in dep else [""])
    ]
    words = " ".join([task, *candidates])
    fields = _collect_fields(stage, {"task": task}, words, deps)
    return _format_block(f"{stage.verb}-{task}", **fields)


def _render_template(stage: AnyStage, declared: Declared) -> str:
    each, shown = _render_loop(stage, declared)
    words = " ".join(shown[axis] for axis in stage.over)
    deps = [dep.format(**shown) for dep in stage.deps]
    fields = _collect_fields(stage, shown, words, deps)
    body = "".join(f"  {line}\n" for line in _format_block("do", **fields).splitlines())
    return f"  {stage.verb}:\n    foreach:{each}{body}"


def _render_loop(stage: AnyStage, declared: Declared) -> tuple[str, Item]:
    """Return what ``foreach`` goes over, and what stands for its parts in ``do``."""
    if len(stage.over) > 1:
        items = [_add_origin(stage, item, declared) for item in list_items(stage, declared)]
        rows = [f"      {_join_names(stage, item)}: {{{_format_item(item)}}}\n" for item in items]
        return "\n" + "".join(rows), {key: f"${{item.{key}}}" for key in items[0]}
    tasks = declared.problems
    if stage.needs_window:
        rows = [
            f"      {task}:\n        window: ${{task.{task}.window}}\n" for task in declared.windows
        ]
        return "\n" + "".join(rows), {"task": "${key}", "window": "${item.window}"}
    if any("{source}" in dep for dep in stage.deps):
        rows = [f"      {task}:\n        source: ${{task.{task}.origin.path}}\n" for task in tasks]
        return "\n" + "".join(rows), {"task": "${key}", "source": "${item.source}"}
    return f" [{', '.join(tasks)}]\n", {"task": "${item}"}


def _add_origin(stage: AnyStage, item: Item, declared: Declared) -> Item:
    """Add the library that a model or encoder comes from, and the folder of its weights.

    Weights that are no files of this repository are pinned otherwise: by a library's version or a
    revision. A template cannot leave a dependency out, so the stage's parameters stand in for them.
    """
    found = {**item, "library": find_library(item, declared) or ""}
    if "encoder" in item:
        folder = declared.encoders[item["task"]][item["encoder"]].folder
        found["weights"] = folder or stage.format_params(item)
    return found


def _join_names(stage: AnyStage, item: Item) -> str:
    return "-".join(item[axis] for axis in stage.over)


def _format_item(item: Item) -> str:
    return ", ".join(f"{key}: {value}" for key, value in item.items())


def _collect_fields(stage: AnyStage, shown: Item, words: str, deps: list[str]) -> dict[str, Any]:
    own = [shown["library"]] if "library" in shown else []
    keys = [key.format(**shown) for key in stage.params.list_keys().values()]
    keys += name_libraries(own)
    return {
        "desc": stage.desc.format(**shown),
        "cmd": f"exec python -m stages.{stage.verb} {words}",
        "deps": [stage.format_code(), *deps],
        "params": [_format_keys(stage.format_params(shown), keys)],
        "outs": _format_outputs(stage.outs, shown, stage.persistent),
        "metrics": _format_outputs(stage.metrics, shown),
        "meta": f"{{effort: {stage.effort}}}" if stage.effort > 1 else [],
    }


def _format_outputs(paths: Sequence[str], shown: Item, persistent: bool = False) -> list[str]:
    ending = ":\n          persist: true" if persistent else ""
    return [path.format(**shown) + ending for path in paths]


def _format_keys(file: str, keys: Sequence[str]) -> str:
    return f"{file}:" + "".join(f"\n          - {key}" for key in keys)


def _format_block(name: str, **fields: Any) -> str:
    lines = [f"  {name}:\n"]
    for key, value in fields.items():
        if isinstance(value, str):
            lines.append(f"    {key}: {value}\n")
        elif value:
            lines.append(f"    {key}:\n" + "".join(f"      - {item}\n" for item in value))
    return "".join(lines)
