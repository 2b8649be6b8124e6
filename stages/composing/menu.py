"""The files in ``conf/`` that are written: what there is to compose, to run on, and to say."""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from stages.composing import schema
from stages.composing.checking import VERBS
from stages.composing.files import CONF, LIBRARIES, LOCKS, MENU, read_file, read_text
from stages.runner import imports
from stages.shared.errors import PipelineError

PACKAGE = "package:"  # what stands before the module that holds an encoder's weights


def render_choices(left_out: Collection[str] = ()) -> dict[Path, str]:
    """Return the files that list what there is: tasks and models, libraries, a task's keys.

    ``left_out`` are tasks whose files do not hold, and that nobody asks for.
    """
    return {
        MENU: render_menu([name for name in list_names("task") if name not in left_out]),
        LIBRARIES: _render_libraries(),
        schema.FILE: schema.render_schema(),
    }


def render_menu(tasks: Sequence[str]) -> str:
    """Return the text of ``conf/menu.yaml`` for these tasks and all models and encoders."""
    models, encoders = list_names("model"), list_names("encoder")
    lines = [line for name in tasks for line in _render_layers("contract", "task", name)]
    lines += [f"  - model@model.{name}: {name}" for name in models]
    lines += [line for name in encoders for line in _render_layers("fine_tuning", "encoder", name)]
    lines += [f"  - tune@tune.{name}: {name}" for name in list_names("tune")]
    lines += ["  - _self_", "task:"]
    for name in tasks:
        lines += [f"  {name}:", f"    origin: ${{task.{name}.sources.${{task.{name}.source}}}}"]
    head = "# Written by `make compose`: the files in conf/task, model, encoder and tune."
    return f"{head}\ndefaults:\n" + "\n".join(lines) + "\n"


def _render_layers(common: str, group: str, name: str) -> list[str]:
    """Return the lines that lay a group's file over the one that all of the group have."""
    return [f"  - {common}@{group}.{name}", f"  - {group}@{group}.{name}: {name}"]


def _render_libraries() -> str:
    names = _list_libraries()
    locks = "".join(read_text(Path(lock)) for lock in LOCKS)
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", locks, re.M))
    unknown = sorted(names - set(pinned))
    if unknown:
        raise PipelineError(f"no lock pins {', '.join(unknown)}: add it and run `make lock`")
    lines = [f"  {name}: {pinned[name]}" for name in sorted(names)]
    return "# Written by `make compose` from the lock files: what the stages run on.\n" + (
        "libraries:\n" + "\n".join(lines) + "\n"
    )


def _list_libraries() -> set[str]:
    """Return what our code imports, and where models and encoders come from."""
    files = {file for verb in VERBS for file in imports.list_modules(Path("stages", f"{verb}.py"))}
    files |= set(imports.list_modules(Path("stages/compose.py")))
    named = {imports.find_distribution(module) for module in (*_list_targets(), *_list_packages())}
    return set(imports.list_libraries(sorted(files))) | named


def _list_targets() -> Iterator[str]:
    """Yield the top-level module of each estimator that a file in ``conf/model`` names."""
    for content in _read_group("model"):
        targets = content.get("_target_")
        for target in targets.values() if isinstance(targets, dict) else []:
            yield str(target).split(".")[0]


def _list_packages() -> Iterator[str]:
    """Yield the module of each package that holds an encoder's weights."""
    for content in _read_group("encoder"):
        weights = str(content.get("weights"))
        if weights.startswith(PACKAGE):
            yield weights.removeprefix(PACKAGE).split("/")[0]


def _read_group(group: str) -> Iterator[dict[str, Any]]:
    """Yield the content of each file; of one that is no mapping, its reader says so later."""
    for path in sorted((CONF / group).glob("*.yaml")):
        if isinstance(content := read_file(path), dict):
            yield content


def list_names(group: str) -> list[str]:
    """Return the names of a group's files in ``conf/``."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))
