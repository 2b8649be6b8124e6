"""Writes ``dvc.yaml`` from the stages' declarations, in the form a person would give it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.shared import imports
from stages.shared.declare import Plot, Stage

AnyStage = Stage[Any]
HEADER = """\
# Written by `make compose` from the declarations in stages/ and the files in conf/; the guard stage
# `compose` holds them together. `exec` makes DVC the parent of each stage, so that a stage ends
# when DVC is killed.
"""
LOCKS = ("requirements.lock", "requirements-torch.lock")
GUARD = "data/composed"  # what every first stage waits for


def render(
    stages: Sequence[AnyStage],
    tasks: dict[str, list[str]],
    targets: dict[str, str],
    problems: dict[str, str],
) -> str:
    """Return the text of ``dvc.yaml``.

    ``tasks`` maps each task to its models, ``targets`` each model to the library it comes from,
    ``problems`` each task to ``classification`` or ``regression``.
    """
    blocks = [_guard(stages)]
    for stage in stages:
        blocks += _blocks(stage, tasks, targets)
    return f"{HEADER}stages:\n" + "\n".join(blocks) + _pictures(stages, tasks, problems)


def _pictures(
    stages: Sequence[AnyStage], tasks: dict[str, list[str]], problems: dict[str, str]
) -> str:
    """Return the top-level ``plots:``, which unlike a stage's own can differ between tasks."""
    entries = [
        _picture(plot, task=task, model=model)
        for task, models in tasks.items()
        for stage in stages
        for plot in stage.pictures
        if plot.problem in (None, problems[task])
        for model in (models if "{model}" in plot.file else [""])
    ]
    return "\nplots:\n" + "".join(entries) if entries else ""


def _picture(plot: Plot, **item: str) -> str:
    keys = {name: getattr(plot, name) for name in ("title", "template", "x", "y", "x_label")}
    if plot.files:
        keys["y"] = "".join(f"\n        {file}: {plot.y}" for file in plot.files)
    lines = [f"      {key}: {value}\n" for key, value in keys.items() if value]
    return f"  - {plot.file}:\n{''.join(lines)}".format(**item).replace(": \n", ":\n")


def _guard(stages: Sequence[AnyStage]) -> str:
    code = imports.modules(Path("stages/compose.py"))
    files = {path for stage in stages for path in imports.modules(_file(stage))} | set(code)
    deps = ["conf", "params.yaml", *LOCKS, *_sorted(files)]
    return _block(
        "compose",
        desc="Stop at once where params.yaml or dvc.yaml is older than conf/",
        cmd="exec python -m stages.compose --check",
        deps=deps,
        params=_libraries(imports.libraries(code)),
        outs=[GUARD],
    )


def _blocks(stage: AnyStage, tasks: dict[str, list[str]], targets: dict[str, str]) -> list[str]:
    if any("{candidate}" in dep for dep in stage.deps):
        return [_written_out(stage, task, models, targets) for task, models in tasks.items()]
    return [_templated(stage, tasks, targets)]


def _written_out(stage: AnyStage, task: str, models: list[str], targets: dict[str, str]) -> str:
    """One stage a task, because a template cannot hold a list whose length differs."""
    deps = [
        dep.format(task=task, candidate=model)
        for dep in stage.deps
        for model in (models if "{candidate}" in dep else [""])
    ]
    shown = {"task": task}
    words = " ".join([task, *models])
    return _block(f"{stage.verb}-{task}", **_fields(stage, shown, words, deps, targets))


def _templated(stage: AnyStage, tasks: dict[str, list[str]], targets: dict[str, str]) -> str:
    each, shown = _loop(stage, tasks, targets)
    words = " ".join(shown[axis] for axis in stage.over)
    deps = [dep.format(**shown) for dep in stage.deps]
    fields = _fields(stage, shown, words, deps, targets)
    body = "".join(f"  {line}\n" for line in _block("do", **fields).splitlines())
    return f"  {stage.verb}:\n    foreach:{each}{body}"


def _loop(
    stage: AnyStage, tasks: dict[str, list[str]], targets: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """Return what ``foreach`` goes over, and what stands for task, model and source in ``do``."""
    if "model" in stage.over:
        rows = [
            f"      {task}-{model}: {{task: {task}, model: {model}, library: {targets[model]}}}\n"
            for task, models in tasks.items()
            for model in models
        ]
        return "\n" + "".join(rows), {"task": "${item.task}", "model": "${item.model}"}
    if any("{source}" in dep for dep in stage.deps):
        rows = [f"      {task}:\n        source: ${{task.{task}.origin.path}}\n" for task in tasks]
        return "\n" + "".join(rows), {"task": "${key}", "source": "${item.source}"}
    return f" [{', '.join(tasks)}]\n", {"task": "${item}"}


def _fields(
    stage: AnyStage, shown: dict[str, str], words: str, deps: list[str], targets: dict[str, str]
) -> dict[str, Any]:
    code = imports.modules(_file(stage))
    used = set(imports.libraries(code))
    if stage.runs_models:
        used |= set(targets.values())
    own = ["libraries.${item.library}"] if "model" in stage.over else []
    keys = [key.format(**shown) for key in stage.params.keys().values()]
    return {
        "desc": stage.desc.format(**shown),
        "cmd": f"exec python -m stages.{stage.verb} {words}",
        "deps": [*deps, *(path.as_posix() for path in code)],
        "params": [*keys, *_libraries(sorted(used)), *own],
        "outs": _outputs(stage.outs, shown, stage.persistent),
        "metrics": _outputs(stage.metrics, shown),
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


def _sorted(files: set[Path]) -> list[str]:
    return sorted(path.as_posix() for path in files)
