"""The files in ``conf/``: whether they can be composed at all, and which of them holds a key."""

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from stages.shared.conflict import has_conflict
from stages.shared.errors import PipelineError

CONF = Path("conf")
MENU = CONF / "menu.yaml"
LIBRARIES = CONF / "libraries.yaml"
SCHEMA = CONF / "task.schema.json"
COMPOSED = (MENU, LIBRARIES, SCHEMA)  # written by `compose`, from the others and from the locks
LOCKS = ("requirements.lock", "requirements-torch.lock")
GROUPS = ("task", "model", "encoder", "tune")  # each file in them is composed
NAME = re.compile(r"[A-Za-z]\w*(-\w+)*", re.ASCII)
# What lies under a file of a group and holds for all of them.
DEFAULTS = {"task": CONF / "contract.yaml", "encoder": CONF / "fine_tuning.yaml"}


def check_files(left_out: Collection[str] = ()) -> None:
    """Raise PipelineError for a file that is no YAML, is empty, or has a name that DVC refuses.

    ``left_out`` names the tasks whose files nobody asks for.
    """
    passed_over = {CONF / "task" / f"{name}.yaml" for name in left_out}
    check_conflicts([*sorted({*CONF.rglob("*.yaml")} - passed_over), *map(Path, LOCKS)])
    for group in GROUPS:
        for path in sorted({*(CONF / group).glob("*.yaml")} - passed_over):
            check_file(path)


def check_file(path: Path) -> None:
    """Raise PipelineError for a file of a group that cannot be composed by itself."""
    if not NAME.fullmatch(path.stem):
        raise PipelineError(
            f"{path}: {path.stem!r} names stages and folders. Rename the file: letters, "
            "digits and _, with single hyphens in between, a letter first"
        )
    if not isinstance(content := read_file(path), dict):
        found = "is empty" if content is None else f"holds a {type(content).__name__}"
        raise PipelineError(f"{path} {found}: write its keys, or delete the file")


def read_text(path: Path) -> str:
    """Return a file's text, which is empty where the file is not there."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def check_conflicts(paths: Iterable[Path]) -> None:
    """Raise PipelineError for a file in conflict on which a person has to decide."""
    for path in paths:
        if path not in COMPOSED and has_conflict(read_text(path)):
            raise PipelineError(
                f"{path} is in conflict after a merge: keep one side of each <<<<<<< … >>>>>>>, "
                "then repeat"
            )


def read_file(path: Path) -> Any:
    """Return what a YAML file holds; raises PipelineError with the line where it is no YAML."""
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        reason = " ".join(filter(None, [error.context, error.problem]))
        raise PipelineError(f"{path}{line} is no YAML: {reason}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path} is no YAML: {error}") from error


def locate_key(key: Sequence[str]) -> tuple[Path, str]:
    """Return the file that holds a key of ``params.yaml``, and what the key is called there.

    Of a file and the defaults under it, it is the file unless the defaults alone hold the key.
    """
    group, rest = key[0], list(key[1:])
    if group not in GROUPS or not rest:
        return CONF / "config.yaml", ".".join(key)
    own, inside = CONF / group / f"{rest[0]}.yaml", rest[1:]
    files = [own, *([DEFAULTS[group]] if group in DEFAULTS else [])]
    return max(files, key=lambda file: _count_held(file, inside)), ".".join(inside)


def _count_held(path: Path, key: Sequence[str]) -> int:
    """Return how many parts of the key, from its first, a file holds."""
    content = read_file(path) if path.exists() else None
    for depth, part in enumerate(key):
        if not isinstance(content, dict) or part not in content:
            return depth
        content = content[part]
    return len(key)


def explain_missing_key(key: str) -> str:
    """Say which file's ``${…}`` names a key that is not there.

    A task's ``source`` that is none of its ``sources`` is the usual case: its own message says so.
    """
    if found := re.fullmatch(r"task\.([^.]+)\.sources\.(.+)", key):
        return _explain_source(*found.groups())
    pattern = re.compile(r"\$\{\.*(?:[\w.-]+\.)?" + re.escape(key.split(".")[-1]) + r"\}")
    for path in sorted(CONF.rglob("*.yaml")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if hit := pattern.search(line):
                return f"{path}, line {number}: {hit[0]} stands for a key that is not there"
    return f"conf/ refers to {key}, which is not there"


def _explain_source(task: str, source: str) -> str:
    path = CONF / "task" / f"{task}.yaml"
    content = read_file(path) or {}
    sources = ", ".join(content.get("sources") or {})
    if not sources:
        return f"{path}: sources: missing; under {source} there, say where the table is"
    if "source" in content:
        return f"{path}: source = {source!r} is none of its sources: {sources}"
    return (
        f"{path}: source = {source!r} (for all tasks, from conf/source) is none of its sources: "
        f"{sources}. Write there which of them stands in for it, as in "
        f"`{source}: ${{.{next(iter(content['sources']))}}}`"
    )
