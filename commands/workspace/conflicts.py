"""Resolves what a merge has left in conflict of the files that a command writes.

Those composed from ``conf/`` are composed again. Of ``dvc.lock`` each stage's entry is taken whole
from one side, and where both sides changed one, from that whose parameters and inputs are here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from commands.workspace.git import read_at_commit
from commands.workspace.lockfile import LOCK, read_lock, write_entries
from commands.workspace.merging import Entry, merge_entries, split_entries
from stages.composing.files import read_text
from stages.composing.paths import GENERATED
from stages.runner.declare import PARAMS_FILE, lookup
from stages.shared.conflict import has_conflict, split_conflict
from stages.shared.errors import PipelineError

SIDES = ("HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD", "stash")


def find_conflicts() -> list[Path]:
    """Return which of the files that a command writes hold marks of a conflict."""
    return [path for path in (*GENERATED, LOCK) if has_conflict(read_text(path))]


def resolve_lock() -> Iterator[str]:
    """Write ``dvc.lock`` without marks where it has some, and say so."""
    text = read_lock()
    if not has_conflict(text):
        return
    base, ours, theirs = _read_unmerged() or ([], *_read_marked(text))
    merged = merge_entries(base, ours, theirs, _choose_side)
    write_entries(merged)
    yield (
        f"{LOCK} was in conflict and is merged by stage ({len(merged) - 1} kept): `dvc repro` runs "
        f"or restores what fits neither side; then `git add {LOCK}`"
    )


def _read_unmerged() -> tuple[list[Entry], list[Entry], list[Entry]] | None:
    """Return base, ours and theirs as git keeps them until the conflict is resolved."""
    base, ours, theirs = (_read_entries(f":{number}") for number in (1, 2, 3))
    return (base, ours, theirs) if len(ours) > 1 or len(theirs) > 1 else None


def _read_marked(text: str) -> tuple[list[Entry], list[Entry]]:
    """Return both sides by the marks, less entries that a merge by lines put together.

    Those are in no commit: nobody has seen their inputs give their outputs.
    """
    known = {entry for name in SIDES for entry in _read_entries(name)}
    ours, theirs = (split_entries(side) for side in split_conflict(text))
    return _keep_known(ours, known), _keep_known(theirs, known)


def _keep_known(entries: list[Entry], known: set[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry in known or not entry[0]]


def _read_entries(commit: str) -> list[Entry]:
    return split_entries(read_at_commit(commit, LOCK) or "")


def _choose_side(ours: str, theirs: str, kept: list[Entry]) -> str:
    params = YAML(typ="safe").load(PARAMS_FILE)
    made = {
        out["path"]: out.get("md5")
        for _, text in kept
        for out in _parse_entry(text).get("outs", [])
    }
    return (
        theirs
        if _fits_workspace(theirs, params, made) and not _fits_workspace(ours, params, made)
        else ours
    )


def _fits_workspace(text: str, params: Any, made: dict[str, Any]) -> bool:
    """Tell whether an entry is of the parameters here and of the outputs kept of other stages."""
    entry = _parse_entry(text)
    try:
        values = [
            lookup(params, key) == value
            for file in entry.get("params", {}).values()
            for key, value in file.items()
        ]
    except PipelineError:  # a parameter that is gone
        return False
    deps = {dep["path"]: dep.get("md5") for dep in entry.get("deps", [])}
    return all(values) and all(made.get(path, digest) == digest for path, digest in deps.items())


def _parse_entry(text: str) -> Any:
    """Return an entry's content; that of the head, which is no stage's, is empty."""
    content = YAML(typ="safe").load(text) or {}
    return {} if "schema" in content else next(iter(content.values()), {})
