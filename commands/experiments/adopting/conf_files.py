"""Writes values into the files of ``conf/`` where a person would write them, and proves it."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from commands.experiments.adopting.yaml_text import delete_key, has_key, is_reference, set_value
from commands.shared.trees import ABSENT, Key, find_changes, flatten, join_key
from stages.composing.config import compose_params, read_yaml
from stages.composing.files import CONF
from stages.shared.errors import PipelineError
from stages.shared.storage import write_text

MAIN = "config.yaml"
GROUPS = ("task", "model", "encoder", "tune")  # each file under the key of its name
PRESETS = ("debug", "experiment")  # the one that decides last first
DERIVED = "origin"  # of a task: what its source stands for


def write_values(values: Mapping[Key, Any]) -> dict[Path, str]:
    """Write the values into ``conf/``; return the new text of each file that changed.

    Raises PipelineError, and changes nothing, where ``conf/`` would not give all of them then.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, CONF)
        shutil.copytree(CONF, copy)
        change_values(copy, values)
        changed = _read_changed_files(copy)
    for path, text in changed.items():
        write_text(path, text)
    return changed


def _read_changed_files(copy: Path) -> dict[Path, str]:
    found = {
        CONF / path.relative_to(copy): path.read_text(encoding="utf-8")
        for path in copy.rglob("*.yaml")
    }
    return {path: text for path, text in found.items() if text != path.read_text(encoding="utf-8")}


def change_values(conf: Path, values: Mapping[Key, Any]) -> None:
    """Edit the files of a ``conf/`` until it gives the values, and all else as before.

    What follows from another value is left to it: a preset first, then plain values, and only at
    last those that now follow from others and shall not.
    """
    wanted = {**_read_given(conf), **values}
    for may_write in (_is_choice, _is_plain, _is_written):
        for key, value in find_missing(conf, wanted).items():
            if may_write(conf, key):
                edit_value(conf, key, value)
    if left := find_missing(conf, wanted):
        names = ", ".join(map(join_key, left))
        raise PipelineError(f"{names}: no line of conf/ gives this value alone: write it there")


def find_missing(conf: Path, wanted: Mapping[Key, Any]) -> dict[Key, Any]:
    """Return those of the wanted values that ``conf`` does not give."""
    return find_changes({k: v for k, v in wanted.items() if v is not ABSENT}, _read_given(conf))


def _read_given(conf: Path) -> dict[Key, Any]:
    return flatten(read_yaml(compose_params(conf=conf)))


def edit_value(conf: Path, key: Key, value: Any) -> None:
    """Change one value in the file that decides it."""
    path, keys = find_home(conf, key)
    text = path.read_text(encoding="utf-8")
    new = delete_key(text, keys) if value is ABSENT else set_value(text, keys, value)
    write_text(path, new)


def find_home(conf: Path, key: Key) -> tuple[Path, Key]:
    """Return the file that decides a value, and the path of keys in it.

    That is a preset in force or the main file where it sets the value, else the group's file.
    """
    if _is_choice(conf, key):
        return conf / MAIN, ("defaults", key[0])
    for path in _list_presets(conf):
        if has_key(path.read_text(encoding="utf-8"), key):
            return path, key
    inside = has_key((conf / MAIN).read_text(encoding="utf-8"), key)
    if key[0] in GROUPS and len(key) > 2 and not inside:
        return conf / str(key[0]) / f"{key[1]}.yaml", key[2:]
    return conf / MAIN, key


def _list_presets(conf: Path) -> Iterator[Path]:
    """Yield the presets in force, the one that decides last first."""
    content = YAML(typ="safe").load(conf / MAIN)
    chosen = {
        group: choice[group]
        for choice in content["defaults"]
        for group in PRESETS
        if group in choice
    }
    for group in PRESETS:
        names = chosen.get(group) or []
        for name in reversed([names] if isinstance(names, str) else names):
            yield conf / group / f"{name}.yaml"


def _is_choice(conf: Path, key: Key) -> bool:
    """Say whether a value names a file of a group, as ``source`` does."""
    return len(key) == 1 and (conf / str(key[0])).is_dir()


def _is_written(_: Path, key: Key) -> bool:
    return not (key[0] == "task" and key[2:3] == (DERIVED,))


def _is_plain(conf: Path, key: Key) -> bool:
    """Say whether a value is none that others decide, by a reference or as its task's source."""
    path, keys = find_home(conf, key)
    refers = is_reference(path.read_text(encoding="utf-8"), keys)
    return not refers and not _is_source(key) and _is_written(conf, key)


def _is_source(key: Key) -> bool:
    return key[0] == "task" and key[2:] == ("source",)
