"""Restores from the remote what dvc.lock names: ``python -m commands restore`` (or ``make pull``).

In a fresh clone no stage runs. All objects come at once and are checked out before ``dvc repro
--pull`` looks at the stages: one that replaces its outputs itself has no entry in the run cache,
and would run otherwise. That command then restores from the run cache what dvc.lock does not name.
"""

import sys
from collections.abc import Iterator
from typing import Any

from dvc.repo import Repo

from commands.workspace.remote import (
    connect,
    find_missing,
    is_whole,
    read_object,
    report_objects,
    run_dvc,
    shorten_lines,
)
from commands.workspace.repairing import repair_files
from commands.workspace.tracked import (
    Tracked,
    list_files,
    list_outputs,
    list_tracked,
    locate_object,
    parse_list,
)
from stages.shared.errors import PipelineError


def restore() -> None:
    """Restore all that is whole; where something is not, name it and run no stage."""
    repair_files()
    repo = Repo()
    remote = connect(repo)
    lost = fetch_objects(repo, remote)
    if not run_dvc("checkout", "--allow-missing"):
        sys.exit(1)
    if lost:
        raise PipelineError(
            f"all but this was restored:\n{shorten_lines(lost)}\n`make repro` makes it anew; then "
            "`make push` puts back what is missing (delete a damaged object first)"
        )
    sys.exit(not run_dvc("repro", "--pull"))


def fetch_objects(repo: Any, remote: Any) -> list[str]:
    """Bring every object that is whole into the cache; return a line for each that is not.

    Raises PipelineError where something whole does not arrive, for stages would make it anew.
    """
    if not run_dvc("fetch") and (sound := list(_list_sound(repo, remote))):
        run_dvc("fetch", *sound)
    absent = list(_find_absent(repo, remote))
    gone = find_missing(remote, absent)
    damaged = [one for one in absent if one not in gone and not is_whole(remote, one)]
    if absent and not gone and not damaged:
        raise PipelineError(
            f"{absent[0].path} and more could not be fetched: run the same command again"
        )
    return [
        *report_objects(remote, gone, "is not at"),
        *report_objects(remote, damaged, "is damaged at"),
    ]


def _find_absent(repo: Any, remote: Any) -> Iterator[Tracked]:
    """Yield what is not in the cache. DVC leaves a folder's list out where one of its files is."""
    for entry in list_tracked(repo):
        if not locate_object(repo, entry.digest).exists():
            yield entry
            for file in parse_list(entry, read_object(remote, entry)) if entry.is_list else []:
                if not locate_object(repo, file.digest).exists():
                    yield file


def _list_sound(repo: Any, remote: Any) -> Iterator[str]:
    """Yield the outputs that can be fetched: with one damaged list of files DVC fetches nothing."""
    for out in list_outputs(repo):
        whole = next(list_files(repo, out))
        if not whole.is_list or is_whole(remote, whole):
            yield str(whole.path)
