"""Writes ``dvc.yaml`` from the stages' declarations, in the form a person would give it."""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.composing.labels import Labels
from stages.runner import imports
from stages.runner.declare import Plot, Stage
from stages.shared.encoder import Encoder

AnyStage = Stage[Any]
HEADER = """\
# Written by `make compose` from the declarations in stages/ and the files in conf/; the guard stage
# `compose` holds them together. `exec` makes DVC the parent of each stage, so that a stage ends
# when DVC is killed.
"""
LOCKS = ("requirements.lock", "requirements-torch.lock")
GUARD = "data/composed"  # what every first stage waits for


@dataclass(frozen=True)
class Declared:
    """What ``conf/`` declares: of each task its problem, its models and its encoders.

    ``libraries`` maps each model to the library that it comes from; ``tuned`` has the models of
    each task that are to be tuned. ``labels`` has what plots say of each task and its models.
    """

    problems: dict[str, str]
    models: dict[str, list[str]]
    encoders: dict[str, dict[str, Encoder]]
    libraries: dict[str, str]
    tuned: dict[str, list[str]]
    labels: Labels

    def families(self, task: str, axis: str) -> list[str]:
        """Return the task's models, those tuned, its encoders, or both kinds as ``candidate``."""
        found = {"model": self.models[task], "encoder": list(self.encoders[task])}
        found["tuned"] = self.tuned[task]
        return found[axis] if axis in found else [*found["model"], *found["encoder"]]


def render(stages: Sequence[AnyStage], declared: Declared) -> str:
    """Return the text of ``dvc.yaml``."""
    blocks = [_guard(stages)]
    for stage in stages:
        blocks += _blocks(stage, declared)
    ending = _measures(stages, declared) + _pictures(stages, declared)
    return f"{HEADER}stages:\n" + "\n".join(blocks) + ending


def _measures(stages: Sequence[AnyStage], declared: Declared) -> str:
    """Return the top-level ``metrics:``, which unlike a stage's own are under no hash."""
    files = [
        path.format(**item)
        for stage in stages
        for path in stage.measures
        for item in _items(stage, declared)
    ]
    return "\nmetrics:\n" + "".join(f"  - {file}\n" for file in files) if files else ""


def _pictures(stages: Sequence[AnyStage], declared: Declared) -> str:
    """Return the top-level ``plots:``, which unlike a stage's own can differ between tasks."""
    entries = [
        _picture(plot, **item, **declared.labels.of(item))
        for task in declared.problems
        for stage in stages
        for plot in stage.pictures
        if plot.problem in (None, declared.problems[task])
        for item in _items(stage, declared)
        if item["task"] == task
    ]
    return "\nplots:\n" + "".join(entries) if entries else ""


def _items(stage: AnyStage, declared: Declared) -> list[dict[str, str]]:
    """Return what the stage goes over: tasks, or a task's models or encoders, by name."""
    if len(stage.over) == 1:
        return [{"task": task} for task in declared.problems]
    axis = stage.over[1]
    return [
        {"task": task, axis: name}
        for task in declared.problems
        for name in declared.families(task, axis)
    ]


def _picture(plot: Plot, **item: str) -> str:
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


def _guard(stages: Sequence[AnyStage]) -> str:
    code = imports.modules(Path("stages/compose.py"))
    files = {path for stage in stages for path in imports.modules(_file(stage))} | set(code)
    deps = ["conf", "params.yaml", *LOCKS, *_listed(files)]
    return _block(
        "compose",
        desc="Stop at once where params.yaml or dvc.yaml is older than conf/",
        cmd="exec python -m stages.compose",
        deps=deps,
        params=_libraries(imports.libraries(code)),
        outs=[GUARD],
    )


def _blocks(stage: AnyStage, declared: Declared) -> list[str]:
    if any("{candidate}" in dep for dep in stage.deps):
        return [_written_out(stage, task, declared) for task in declared.problems]
    return [_templated(stage, declared)] if _items(stage, declared) else []


def _written_out(stage: AnyStage, task: str, declared: Declared) -> str:
    """One stage a task, because a template cannot hold a list whose length differs."""
    candidates = declared.families(task, "candidate")
    deps = [
        dep.format(task=task, candidate=name)
        for dep in stage.deps
        for name in (candidates if "{candidate}" in dep else [""])
    ]
    shown = {"task": task}
    words = " ".join([task, *candidates])
    return _block(f"{stage.verb}-{task}", **_fields(stage, shown, words, deps, declared))


def _templated(stage: AnyStage, declared: Declared) -> str:
    each, shown = _loop(stage, declared)
    words = " ".join(shown[axis] for axis in stage.over)
    deps = [dep.format(**shown) for dep in stage.deps]
    fields = _fields(stage, shown, words, deps, declared)
    body = "".join(f"  {line}\n" for line in _block("do", **fields).splitlines())
    return f"  {stage.verb}:\n    foreach:{each}{body}"


def _loop(stage: AnyStage, declared: Declared) -> tuple[str, dict[str, str]]:
    """Return what ``foreach`` goes over, and what stands for its parts in ``do``."""
    if len(stage.over) > 1:
        items = [{**it, **_origin(it, declared)} for it in _items(stage, declared)]
        rows = [f"      {_joined(stage, it)}: {{{_written(it)}}}\n" for it in items]
        return "\n" + "".join(rows), {key: f"${{item.{key}}}" for key in items[0]}
    tasks = declared.problems
    if any("{source}" in dep for dep in stage.deps):
        rows = [f"      {task}:\n        source: ${{task.{task}.origin.path}}\n" for task in tasks]
        return "\n" + "".join(rows), {"task": "${key}", "source": "${item.source}"}
    return f" [{', '.join(tasks)}]\n", {"task": "${item}"}


def _origin(item: dict[str, str], declared: Declared) -> dict[str, str]:
    """Return the library that a model or encoder comes from, and the folder of its weights.

    Weights that are no files of this repository are pinned otherwise: by a library's version or a
    revision. A template cannot leave a dependency out, so the guard stands in for them.
    """
    if model := item.get("model", item.get("tuned")):
        return {"library": declared.libraries[model]}
    encoder = declared.encoders[item["task"]][item["encoder"]]
    library = imports.distribution(encoder.package or "transformers")
    return {"library": library, "weights": encoder.folder or GUARD}


def _joined(stage: AnyStage, item: dict[str, str]) -> str:
    return "-".join(item[axis] for axis in stage.over)


def _written(item: dict[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in item.items())


def _fields(
    stage: AnyStage, shown: dict[str, str], words: str, deps: list[str], declared: Declared
) -> dict[str, Any]:
    code = imports.modules(_file(stage))
    used = set(imports.libraries(code))
    if stage.runs_models:
        used |= set(declared.libraries.values())
    own = [f"libraries.{shown['library']}"] if "library" in shown else []
    keys = [key.format(**shown) for key in stage.params.keys().values()]
    return {
        "desc": stage.desc.format(**shown),
        "cmd": f"exec python -m stages.{stage.verb} {words}",
        "deps": _with_code(deps, code),
        "params": [*keys, *_libraries(sorted(used)), *own],
        "outs": _outputs(stage.outs, shown, stage.persistent),
        "metrics": _outputs(stage.metrics, shown),
        "meta": f"{{effort: {stage.effort}}}" if stage.effort > 1 else [],
    }


def _outputs(paths: Sequence[str], shown: dict[str, str], persistent: bool = False) -> list[str]:
    ending = ":\n          persist: true" if persistent else ""
    return [path.format(**shown) + ending for path in paths]


def _libraries(names: Sequence[str]) -> list[str]:
    return [f"libraries.{name}" for name in names]


def _block(name: str, **fields: Any) -> str:
    lines = [f"  {name}:\n"]
    for key, value in fields.items():
        if isinstance(value, str):
            lines.append(f"    {key}: {value}\n")
        elif value:
            lines.append(f"    {key}:\n" + "".join(f"      - {item}\n" for item in value))
    return "".join(lines)


def _file(stage: AnyStage) -> Path:
    return Path("stages", f"{stage.verb}.py")


def _with_code(deps: Sequence[str], code: Collection[Path]) -> list[str]:
    """Return dependencies and code, less the files (templates) in a folder that is listed."""
    listed = _listed(code)
    return [*(dep for dep in deps if Path(dep).parent.as_posix() not in listed), *listed]


def _listed(code: Collection[Path]) -> list[str]:
    return [path.as_posix() for path in imports.dependencies(code)]
