"""The tasks whose files do not hold: which they are, and why.

One bad draft is no reason to stop the others. Each task is composed alone, in a copy of ``conf/``.
"""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from stages.composing.checking import check_one_task
from stages.composing.config import compose_params, read_yaml
from stages.composing.files import CONF, MENU, check_conflicts, check_file, read_text
from stages.composing.menu import list_names, render_menu
from stages.shared.errors import PipelineError


def list_left_out() -> list[str]:
    """Return the tasks that have a file and do not stand in the menu, if one is written."""
    menu = read_text(MENU).splitlines()
    return [
        name for name in list_names("task") if menu and f"  - task@task.{name}: {name}" not in menu
    ]


def find_broken(names: Iterable[str]) -> dict[str, str]:
    """Return why a task does not compose, for each of the tasks that does not."""
    reasons = {name: _find_reason(name) for name in names}
    return {name: reason for name, reason in reasons.items() if reason}


def _find_reason(name: str) -> str:
    path = CONF / "task" / f"{name}.yaml"
    try:
        check_conflicts([path])
        check_file(path)
        _compose_alone(path)
    except PipelineError as error:
        return str(error)
    return ""


def _compose_alone(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder, CONF.name)
        shutil.copytree(CONF, conf, ignore=shutil.ignore_patterns("task", MENU.name))
        (conf / "task").mkdir()
        shutil.copyfile(path, conf / "task" / path.name)
        (conf / MENU.name).write_text(render_menu([path.stem]), encoding="utf-8")
        check_one_task(read_yaml(compose_params(conf=conf)), path.stem)
