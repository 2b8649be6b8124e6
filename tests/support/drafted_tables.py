"""A file drafted, composed, prepared and validated in one process, as commands and stages do it."""

import contextlib
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.drafting.draft import Request, draft
from stages import prepare, validate
from stages.composing.checking import check_one_task
from stages.composing.config import compose_params, read_yaml
from stages.composing.files import check_file
from stages.composing.menu import render_menu
from stages.runner import declare
from stages.shared.errors import PipelineError
from stages.shared.storage import write_text
from tests.support.clone import ROOT

TASK = "odd"
CONTRACT = Path("conf/task", f"{TASK}.yaml")
STEPS = ("draft", "compose", "prepare", "validate")


@dataclass(frozen=True)
class Outcome:
    """How far a file came: the last step begun, what refused it, if anything did, and its draft."""

    step: str
    refusal: str = ""
    contract: Any = None
    text: str = ""


def make_repository(folder: Path) -> None:
    """Copy ``conf/`` without its tasks into a folder, which is then to be the working one."""
    shutil.copytree(ROOT / "conf", folder / "conf")
    for path in (folder / "conf/task").glob("*.yaml"):
        path.unlink()


def run_table(path: Path, target: str, until: str = "validate", **known: Any) -> Outcome:
    """Take a file as far as it goes; what is no PipelineError comes through."""
    steps: list[Callable[[], None]] = [
        lambda: draft(Request(str(path), TASK, target, overwrite=True, **known)),
        compose_task,
        lambda: prepare.main(TASK),
        lambda: validate.main(TASK),
    ]
    shutil.rmtree("data", ignore_errors=True)
    CONTRACT.unlink(missing_ok=True)
    refusal, step = "", STEPS[0]
    with contextlib.redirect_stdout(io.StringIO()):
        for step, work in zip(STEPS[: STEPS.index(until) + 1], steps, strict=False):  # noqa: B007
            try:
                work()
            except PipelineError as error:
                refusal = str(error)
                break
    text = CONTRACT.read_text(encoding="utf-8") if CONTRACT.exists() else ""
    return Outcome(step, refusal, read_yaml(text) if text else None, text)


def compose_task() -> None:
    """Write the one task's parameters, held against their types."""
    check_file(CONTRACT)
    write_text(Path("conf/menu.yaml"), render_menu([TASK]))
    text = compose_params()
    check_one_task(read_yaml(text), TASK)
    write_text(declare.PARAMS_FILE, text)
    declare.read_params.cache_clear()
