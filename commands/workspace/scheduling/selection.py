"""Shows DVC only the tasks that are asked for.

DVC parses ``dvc.yaml``, ``dvc.lock`` and ``params.yaml`` as a whole, and makes every stage, before
it looks at one. With a hundred tasks that takes most of the time of a command about one of them. No
stage needs one of another task, so that nothing is overlooked.
"""

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from dvc.dvcfile import LOCK_FILE, PROJECT_FILE, FileMixin
from dvc.parsing.context import Context, Meta
from dvc.utils.serialize import parse_yaml

from commands.workspace.lockfile import read_text
from commands.workspace.merging import split_entries
from stages.composing.files import CONF
from stages.runner.declare import PARAMS_FILE

Keep = Callable[[str], bool]  # tells by a stage's name whether it is asked for
PLOTS = "\nplots:\n"  # what is below does not say what runs
ROW = re.compile(r"^ {6}([\w-]+):.*\n(?: {8}.*\n)*", re.M)  # of a `foreach`
LIST = re.compile(r"(?<=foreach: \[)(.*)(?=\]\n)")

_load_file = FileMixin._load_yaml
_load_context = Context.load_from


def show_tasks_of(stages: Collection[str]) -> None:
    """Have DVC, in this process, load nothing but the tasks that these stages are of.

    It loads everything where a name is no stage of one task.
    """
    tasks = {path.stem for path in CONF.glob("task/*.yaml")}
    wanted = [set(find_owners(name, tasks)) for name in stages]
    if not stages or not all(wanted):
        return
    others = tasks - {name for owners in wanted for name in owners}

    def keep(stage: str) -> bool:
        owners = set(find_owners(stage, tasks))
        return not owners or not owners <= others

    def load_file(file: Any, **options: Any) -> tuple[Any, str]:
        if options or Path(file.path).name not in (PROJECT_FILE, LOCK_FILE):
            return _load_file(file, **options)  # type: ignore[no-any-return]
        text = cut_stages(read_text(Path(file.path)) or "", keep)
        return file.validate(parse_yaml(text, file.path), file.relpath), text

    def load_context(fs: Any, path: str, select_keys: Any = None) -> Context:
        if select_keys or Path(path).name != PARAMS_FILE.name:
            return _load_context(fs, path, select_keys)
        values = parse_yaml(cut_params(fs.read_text(path), keep), path)
        context = Context(values, meta=Meta(source=path, local=False))
        context.imports[path] = None
        return context

    FileMixin._load_yaml = load_file
    Context.load_from = load_context


def find_owners(stage: str, tasks: Collection[str]) -> Iterator[str]:
    """Yield each task that the stage may be of: of two names one can be the other's beginning."""
    parts = re.split("[@-]", stage)[1:]
    names = ("-".join(parts[: count + 1]) for count in range(len(parts)))
    yield from (name for name in names if name in tasks)


def cut_stages(text: str, keep: Keep) -> str:
    """Return the text of ``dvc.yaml`` or ``dvc.lock`` without the stages that are not kept."""
    entries = split_entries(text.partition(PLOTS)[0] + "\n")
    return "".join(_cut_loop(block, keep) for name, block in entries if keep(name))


def _cut_loop(block: str, keep: Keep) -> str:
    """Return a stage's text without what its ``foreach`` goes over needlessly; "" if it is all."""
    if "    foreach:" not in block:
        return block
    loop, do, body = block.partition("    do:\n")
    loop = ROW.sub(lambda row: row[0] if keep(f"@{row[1]}") else "", loop)
    loop = LIST.sub(lambda row: ", ".join(n for n in row[1].split(", ") if keep(f"@{n}")), loop)
    is_empty = loop.endswith(("foreach:\n", "foreach: []\n"))
    return "" if is_empty else loop + do + body


def cut_params(text: str, keep: Keep) -> str:
    """Return the text of ``params.yaml`` without the tasks that are not kept."""
    sections = re.split(r"^(?=\S)", text, flags=re.M)
    return "".join(
        block
        for section in sections
        for name, block in split_entries(section)
        if not (section.startswith("task:") and name) or keep(f"@{name}")
    )
