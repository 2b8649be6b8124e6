"""Turns ``conf/`` into what DVC reads: ``python -m commands compose`` (or ``make compose``).

Writes ``conf/menu.yaml`` and ``conf/libraries.yaml`` (what there is to compose), ``params.yaml``,
``dvc.yaml`` and, as the guard does, each stage's parameters and code: so that ``dvc status`` names
at once what they change. With ``--check`` it writes nothing and fails where a file is out of date.
It stops before a value is lost that ``params.yaml`` holds and ``conf/`` does not, unless
``--discard`` is given.
"""

import sys
from collections.abc import Collection
from pathlib import Path

from commands.workspace import prune
from commands.workspace.check_settings import check_settings
from commands.workspace.conflicts import resolve_lock
from commands.workspace.overrides import stop_before_loss
from stages.compose import write_stages
from stages.composing.broken import find_broken
from stages.composing.config import compose_params, read_yaml
from stages.composing.files import check_files, read_text
from stages.composing.menu import list_names, render_choices
from stages.composing.paths import DVC_FILE
from stages.composing.pipeline import render_pipeline
from stages.composing.record import remember
from stages.runner.declare import PARAMS_FILE
from stages.shared.errors import PipelineError
from stages.shared.storage import write_text

NAME_A_TASK = "the other tasks go on without it where one is named, as in `repro export@{}`"


def compose(discard: bool = False, wanted: Collection[str] = ()) -> None:
    """Write every composed file; nothing is written where ``conf/`` does not hold together.

    Where only some tasks are ``wanted``, others whose files do not hold are named and left out.
    Raises PipelineError where a value of ``params.yaml`` would be lost, unless told to discard it.
    """
    try:
        _compose(discard, ())
    except PipelineError as error:
        broken = find_broken(list_names("task"))
        others = sorted({*list_names("task")} - {*broken})
        if not wanted or not broken or {*wanted} & {*broken}:
            hint = f"\n{NAME_A_TASK.format(others[0])}" if broken and others else ""
            raise PipelineError(f"{error}{hint}") from error
        for name, reason in broken.items():
            print(f"conf/task/{name}.yaml is left out: {reason}", file=sys.stderr, flush=True)
        _compose(discard, broken)


def _compose(discard: bool, left_out: Collection[str]) -> None:
    check_files(left_out)
    choices = render_choices(left_out)
    before = {path: path.read_text() if path.exists() else None for path in choices}
    try:
        for path, text in choices.items():
            write_if_new(path, text)
        params = compose_params()
        pipeline = render_pipeline(read_yaml(params))
        check_settings(read_yaml(params))
        if not discard:
            stop_before_loss(params)
    except PipelineError:
        _restore(before)
        raise
    write_if_new(PARAMS_FILE, params)
    remember(params)
    write_if_new(DVC_FILE, pipeline)
    write_stages(read_yaml(params))
    for message in resolve_lock():
        print(message, flush=True)
    prune.remove_leftovers(read_yaml(pipeline), left_out)


def write_if_new(path: Path, text: str) -> None:
    if read_text(path) != text:
        write_text(path, text)


def _restore(before: dict[Path, str | None]) -> None:
    for path, text in before.items():
        if text is None:
            path.unlink(missing_ok=True)
        else:
            write_if_new(path, text)
