"""Turns ``conf/`` into what DVC reads: ``python -m stages.compose`` (or ``make compose``).

Writes ``conf/menu.yaml`` and ``conf/libraries.yaml`` (what there is to compose), ``params.yaml``
and ``dvc.yaml``. With ``--check`` it writes nothing and fails where one of them is out of date.
"""

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.utils.hydra import compose_and_dump
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from ruamel.yaml import YAML
from yaml import YAMLError

from stages.composing import dvcfile, leftovers
from stages.core.contract import Task
from stages.core.declare import PARAMS_FILE, Stage, run_plainly
from stages.core.errors import PipelineError
from stages.core.storage import write_text
from stages.shared import imports
from stages.shared.encoder import Encoder
from stages.shared.model import Model
from stages.tuning.space import Range

CONF = Path("conf")
DVC_FILE = Path("dvc.yaml")
# In the data's order.
VERBS = ("fetch", "prepare", "validate", "tune", "train", "fine_tune", "evaluate", "export")
REMEDY = "run `make compose` (or `python -m stages.compose`), then repeat"


def main() -> None:
    """Write the composed files, or hold them against ``conf/``."""
    if sys.argv[1:] == ["--check"]:
        check()
        write_text(Path(dvcfile.GUARD), "params.yaml and dvc.yaml agree with conf/\n")
    else:
        compose()


def compose() -> None:
    """Write every composed file; nothing is written where ``conf/`` does not hold together."""
    choices = written_choices()
    before = {path: path.read_text() if path.exists() else None for path in choices}
    try:
        for path, text in choices.items():
            _write_if_new(path, text)
        params = composed_params()
        pipeline = written_pipeline(read_yaml(params))
    except PipelineError:
        _restore(before)
        raise
    _write_if_new(PARAMS_FILE, params)
    _write_if_new(DVC_FILE, pipeline)
    leftovers.remove(read_yaml(pipeline))


def check() -> None:
    """Raise PipelineError where a composed file is not what ``conf/`` gives.

    Inside ``dvc exp run`` params.yaml was composed a moment ago, with the experiment's own values.
    """
    for path, text in written_choices().items():
        if _read(path) != text:
            raise PipelineError(f"{path} is out of date: {REMEDY}")
    params = _read(PARAMS_FILE)
    if "DVC_EXP_NAME" not in os.environ:
        _compare(params, composed_params())
    if _read(DVC_FILE) != written_pipeline(read_yaml(params)):
        raise PipelineError(f"{DVC_FILE} is not what conf/ and stages/ declare: {REMEDY}")


def written_choices() -> dict[Path, str]:
    """Return the two files that list what can be composed: tasks and models, and libraries."""
    return {CONF / "menu.yaml": _menu(), CONF / "libraries.yaml": _versions()}


def composed_params(overrides: Sequence[str] = ()) -> str:
    """Return the text that DVC itself composes from ``conf/`` with Hydra's ``overrides``."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, PARAMS_FILE.name)
        try:
            compose_and_dump(output, str(CONF.resolve()), None, "config", "", list(overrides))
        except (OmegaConfBaseException, HydraException, DvcException, YAMLError) as error:
            raise PipelineError(f"conf/ does not compose: {error}") from error
        return output.read_text(encoding="utf-8")


def written_pipeline(params: Any) -> str:
    """Return the text of ``dvc.yaml``; raises PipelineError for a contract that does not hold."""
    models = {
        name: Model.parse(content, f"conf/model/{name}.yaml")
        for name, content in params["model"].items()
    }
    encoders = {
        name: Encoder.parse(content, f"conf/encoder/{name}.yaml")
        for name, content in params.get("encoder", {}).items()
    }
    tasks = {name: checked_task(name, it, models) for name, it in params["task"].items()}
    for name, task in tasks.items():
        check_tuning(name, task, params.get("tune", {}))
    declared = dvcfile.Declared(
        problems={name: task.target.problem for name, task in tasks.items()},
        models={name: list(task.models) for name, task in tasks.items()},
        encoders={name: checked_encoders(name, task, encoders) for name, task in tasks.items()},
        tuned={name: list(task.tune) for name, task in tasks.items()},
        libraries={name: imports.distribution(model.package) for name, model in models.items()},
    )
    return dvcfile.render(stages(), declared)


def stages() -> list[Stage[Any]]:
    """Return the declaration of each stage, in the data's order."""
    return [import_module(f"stages.{verb}").STAGE for verb in VERBS]


def read_yaml(text: str) -> Any:
    return YAML(typ="safe").load(text)


def checked_task(name: str, content: Any, models: dict[str, Model]) -> Task:
    """Return the contract; raises PipelineError for a model or argument that does not exist."""
    where = f"conf/task/{name}.yaml"
    task = Task.parse(content, where)
    for model, overrides in task.models.items():
        if model not in models:
            known = ", ".join(sorted(models))
            raise PipelineError(f"{where}: models.{model} has no conf/model/{model}.yaml ({known})")
        weighted = task.class_weight is not None
        models[model].checked(task.target.problem, overrides, f"{where}: models.{model}", weighted)
    return task


def check_tuning(name: str, task: Task, spaces: Any) -> None:
    """Raise PipelineError for a model to tune that is none of the task's, or has no space."""
    where = f"conf/task/{name}.yaml: tune"
    for model in task.tune:
        if model not in task.models:
            raise PipelineError(f"{where}.{model} is none of its models ({', '.join(task.models)})")
        if model not in spaces:
            known = ", ".join(sorted(spaces))
            raise PipelineError(f"{where}.{model} has no conf/tune/{model}.yaml ({known})")
        for argument, content in spaces[model].items():
            Range.parse(content, f"conf/tune/{model}.yaml: {argument}")


def checked_encoders(name: str, task: Task, encoders: dict[str, Encoder]) -> dict[str, Encoder]:
    """Return a task's encoders; raises PipelineError for one that is not there or of no use."""
    where = f"conf/task/{name}.yaml: encoders"
    if task.encoders and (not task.has_text or task.target.problem != "classification"):
        raise PipelineError(f"{where} = {list(task.encoders)}: they classify rows with a text")
    for encoder in task.encoders:
        if encoder not in encoders:
            known = ", ".join(sorted(encoders))
            raise PipelineError(f"{where}.{encoder} has no conf/encoder/{encoder}.yaml ({known})")
        if encoder in task.models:
            raise PipelineError(f"{where}.{encoder}: a model of the task has that name, too")
    return {it: encoders[it].checked(o, f"{where}.{it}") for it, o in task.encoders.items()}


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
    locks = "".join(_read(Path(lock)) for lock in dvcfile.LOCKS)
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", locks, re.M))
    unknown = sorted(names - set(pinned))
    if unknown:
        raise PipelineError(f"no lock pins {', '.join(unknown)}: add it and run `make lock`")
    lines = [f"  {name}: {pinned[name]}" for name in sorted(names)]
    return "# Written by `make compose` from the lock files: what the stages run on.\n" + (
        "libraries:\n" + "\n".join(lines) + "\n"
    )


def _text_of(group: str) -> str:
    return "\n".join(_read(path) for path in sorted((CONF / group).glob("*.yaml")))


def _names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def _compare(found: str, expected: str) -> None:
    if found != expected:
        changes = "\n".join(_differences(read_yaml(found), read_yaml(expected)))
        raise PipelineError(f"{PARAMS_FILE} is not what conf/ says:\n{changes}\n{REMEDY}")


def _differences(found: Any, expected: Any, key: str = "") -> list[str]:
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = dict.fromkeys([*expected, *found])
        parts = [(f"{key}.{k}".lstrip("."), found.get(k), expected.get(k)) for k in keys]
        return [line for name, old, new in parts for line in _differences(old, new, name)]
    return [] if found == expected else [f"  {key}: {found!r} here, {expected!r} in conf/"]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _write_if_new(path: Path, text: str) -> None:
    if _read(path) != text:
        write_text(path, text)


def _restore(before: dict[Path, str | None]) -> None:
    for path, text in before.items():
        if text is None:
            path.unlink(missing_ok=True)
        else:
            _write_if_new(path, text)


if __name__ == "__main__":
    run_plainly("compose", main)
