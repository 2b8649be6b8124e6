"""The files in ``conf/`` that are written: what there is to compose, to run on, and to say."""

import re
from pathlib import Path

from stages.composing import dvcfile, schema
from stages.composing.checking import VERBS
from stages.composing.config import read_text
from stages.composing.files import CONF
from stages.runner import imports
from stages.shared.errors import PipelineError


def render_choices() -> dict[Path, str]:
    """Return the files that list what there is: tasks and models, libraries, a task's keys."""
    return {
        CONF / "menu.yaml": _menu(),
        CONF / "libraries.yaml": _versions(),
        schema.FILE: schema.render_schema(),
    }


def _menu() -> str:
    tasks, models, encoders = _names("task"), _names("model"), _names("encoder")
    lines = [f"  - {file}@task.{task}{it}" for task in tasks for file, it in _layers(task)]
    lines += [f"  - model@model.{name}: {name}" for name in models]
    lines += [
        f"  - {file}@encoder.{name}{it}"
        for name in encoders
        for file, it in (("fine_tuning", ""), ("encoder", f": {name}"))
    ]
    lines += [f"  - tune@tune.{name}: {name}" for name in _names("tune")]
    lines += ["  - _self_", "task:"]
    for name in tasks:
        lines += [f"  {name}:", f"    origin: ${{task.{name}.sources.${{task.{name}.source}}}}"]
    head = "# Written by `make compose`: the files in conf/task, model, encoder and tune."
    return f"{head}\ndefaults:\n" + "\n".join(lines) + "\n"


def _layers(task: str) -> list[tuple[str, str]]:
    return [("contract", ""), ("task", f": {task}")]


def _versions() -> str:
    files = {file for verb in VERBS for file in imports.modules(Path("stages", f"{verb}.py"))}
    files |= set(imports.modules(Path("stages/compose.py")))
    targets = re.findall(r"^ +(?:classification|regression): ([\w.]+)$", _text_of("model"), re.M)
    targets += re.findall(r"^weights: package:(\w+)", _text_of("encoder"), re.M)
    names = set(imports.libraries(sorted(files)))
    names |= {imports.distribution(target.split(".")[0]) for target in targets}
    locks = "".join(read_text(Path(lock)) for lock in dvcfile.LOCKS)
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", locks, re.M))
    unknown = sorted(names - set(pinned))
    if unknown:
        raise PipelineError(f"no lock pins {', '.join(unknown)}: add it and run `make lock`")
    lines = [f"  {name}: {pinned[name]}" for name in sorted(names)]
    return "# Written by `make compose` from the lock files: what the stages run on.\n" + (
        "libraries:\n" + "\n".join(lines) + "\n"
    )


def _text_of(group: str) -> str:
    return "\n".join(read_text(path) for path in sorted((CONF / group).glob("*.yaml")))


def _names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))
