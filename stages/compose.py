"""The guard: stops the pipeline where a composed file is older than ``conf/`` or ``stages/``.

Every stage waits for it, for two files in ``data/composed``: of ``params.yaml`` what the stage
declares, and a list of the code and libraries that it runs. ``python -m commands compose`` brings
``params.yaml`` and ``dvc.yaml`` up to date.
"""

import os
from pathlib import Path
from typing import Any

from stages.composing import record
from stages.composing.broken import find_broken, list_left_out
from stages.composing.config import compose_params, list_differences, read_yaml
from stages.composing.files import check_files, read_text
from stages.composing.menu import render_choices
from stages.composing.paths import DVC_FILE
from stages.composing.pipeline import render_pipeline, render_stages
from stages.runner.declare import COMPOSED, PARAMS_FILE
from stages.shared.errors import PipelineError, run_plainly
from stages.shared.storage import write_text

REMEDY = "run `make compose` (or `python -m commands compose`), then repeat"


def main() -> None:
    """Hold the composed files against ``conf/``, and hand each stage its parameters."""
    check()
    write_stages(read_yaml(read_text(PARAMS_FILE)))


def write_stages(params: Any) -> None:
    """Write ``data/composed`` where it differs, and remove what is of stages that are gone."""
    texts = render_stages(params)
    for path in {path for path in COMPOSED.rglob("*") if path.is_file()} - set(texts):
        path.unlink()
    for path, text in texts.items():
        if read_text(path) != text:
            write_text(path, text)
    for folder in COMPOSED.iterdir():
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def check() -> None:
    """Raise PipelineError where a composed file is not what ``conf/`` gives.

    Inside ``dvc exp run`` params.yaml was composed a moment ago, with the experiment's own values.
    """
    broken = find_broken(list_left_out())  # any other task is only not composed yet
    for reason in broken.values():
        print(f"left out: {reason}", flush=True)
    check_files(broken)
    for path, text in render_choices(broken).items():
        if read_text(path) != text:
            raise PipelineError(f"{path} is out of date: {REMEDY}")
    params = read_text(PARAMS_FILE)
    if "DVC_EXP_NAME" not in os.environ:
        compare(params, compose_params())
    elif Path(os.environ["DVC_ROOT"]).resolve() == Path.cwd():  # else it runs in a copy
        note_origin(params)
    if read_text(DVC_FILE) != render_pipeline(read_yaml(params)):
        raise PipelineError(f"{DVC_FILE} is not what conf/ and stages/ declare: {REMEDY}")


def note_origin(params: str) -> None:
    """Note whether params.yaml is what ``conf/`` gives, or holds an experiment's own values."""
    if params == compose_params():
        record.remember(params)
    else:
        record.forget()


def compare(found: str, expected: str) -> None:
    if found != expected:
        changes = "\n".join(list_differences(read_yaml(found), read_yaml(expected)))
        raise PipelineError(f"{PARAMS_FILE} is not what conf/ says:\n{changes}\n{REMEDY}")


if __name__ == "__main__":
    run_plainly("compose", main)
