"""Writes a stage's entry into ``dvc.lock`` and leaves the other entries as they are.

DVC itself parses the whole file and writes it anew after each stage, in pure Python: with a
hundred tasks that takes longer than most stages. The text is the same to the last byte.
"""

from pathlib import Path
from typing import Any

from dvc.dvcfile import Lockfile
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dumps_yaml

from commands.workspace.lockfile import read_text
from commands.workspace.merging import split_entries
from stages.shared.storage import write_text

HEAD = "schema: '2.0'\nstages:\n"  # as DVC begins a file that holds nothing but stages

_dump_all = Lockfile.dump_stages


def write_entries_alone() -> None:
    """Have DVC, in this process, write entries this way."""
    Lockfile.dump_stages = _dump_stages


def _dump_stages(lockfile: Any, stages: list[Any], **options: Any) -> None:
    path = Path(lockfile.path)
    text = read_text(path) or HEAD
    if not text.startswith(HEAD):  # of another version, or with data sets in it
        _dump_all(lockfile, stages, **options)
        return
    entries = dict(split_entries(text))
    for stage in stages:
        entries[stage.name] = format_entry(to_lockfile(stage, **options))
    write_text(path, "".join(entries.values()))
    lockfile.repo.scm_context.track_file(lockfile.relpath)


def format_entry(content: Any) -> str:
    """Return the text of a stage's entry as DVC writes it."""
    return str(dumps_yaml({"stages": content})).removeprefix("stages:\n")
