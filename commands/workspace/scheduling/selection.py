"""Shows DVC only the stages of the tasks that are asked for.

DVC parses ``dvc.yaml`` and ``dvc.lock`` as a whole, and makes every stage, before it looks at one.
With a hundred tasks that takes most of the time of a command about one of them. No stage needs one
of another task, so that nothing is overlooked.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from dvc.dvcfile import LOCK_FILE, PROJECT_FILE, FileMixin
from dvc.parsing import DataResolver
from dvc.utils.serialize import parse_yaml

from commands.workspace.lockfile import read_text
from commands.workspace.merging import split_entries
from stages.composing.files import CONF

PLOTS = "\nplots:\n"  # what is below does not say what runs

_load_all = FileMixin._load_yaml
_list_all = DataResolver.get_keys


def show_tasks_of(stages: Collection[str]) -> None:
    """Have DVC, in this process, load nothing but the tasks that these stages are of.

    It loads everything where a name is no stage of one task.
    """
    tasks = {path.stem for path in CONF.glob("task/*.yaml")}
    wanted = [set(find_owners(name, tasks)) for name in stages]
    if not stages or not all(wanted):
        return
    others = tasks - {name for owners in wanted for name in owners}

    def keep(name: str) -> bool:
        owners = set(find_owners(name, tasks))
        return not owners or not owners <= others

    def load(file: Any, **options: Any) -> tuple[Any, str]:
        if options or Path(file.path).name not in (PROJECT_FILE, LOCK_FILE):
            return _load_all(file, **options)  # type: ignore[no-any-return]
        text = cut_text(read_text(Path(file.path)) or "", keep)
        return file.validate(parse_yaml(text, file.path), file.relpath), text

    FileMixin._load_yaml = load
    DataResolver.get_keys = lambda resolver: list(filter(keep, _list_all(resolver)))


def find_owners(stage: str, tasks: Collection[str]) -> Iterator[str]:
    """Yield each task that the stage may be of: of two names one can be the other's beginning."""
    parts = re.split("[@-]", stage)[1:]
    yield from (name for name in _join_beginnings(parts) if name in tasks)


def _join_beginnings(parts: list[str]) -> Iterable[str]:
    return ("-".join(parts[: count + 1]) for count in range(len(parts)))


def cut_text(text: str, keep: Any) -> str:
    """Return the text of ``dvc.yaml`` or ``dvc.lock`` without the entries that are not kept."""
    head = text.partition(PLOTS)[0] + "\n"
    return "".join(block for name, block in split_entries(head) if keep(name))
