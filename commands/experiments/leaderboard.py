"""Ranks all candidates of commits and experiments: ``python -m commands leaderboard [TASK…]``.

A candidate is listed once, where it was first: an experiment shows only what is new in it.
"""

from pathlib import Path

from dvc.repo import Repo

from commands.experiments.ranking.entries import Entry, collect_entries
from commands.experiments.ranking.history import list_states
from commands.experiments.ranking.table import format_tables
from stages.shared.errors import PipelineError


def format_leaderboard(tasks: list[str], commits: int, most: int) -> str:
    """Return the tables of the named tasks, or of all."""
    kept, lacking = find_entries(tasks, commits)
    note = f"\n\n{lacking} results are not in the cache: `dvc pull` gets them" if lacking else ""
    return format_tables(kept, most) + note


def find_entries(tasks: list[str], commits: int) -> tuple[list[Entry], int]:
    """Return the candidates of the named tasks, or of all, and how many results are not here.

    Raises PipelineError where there is nothing to rank.
    """
    found, lacking = collect_entries(list_states(commits), Path(Repo().cache.local.path))
    kept = [entry for entry in found if entry.task in tasks or not tasks]
    if not kept:
        names = ", ".join(sorted({entry.task for entry in found})) or "none"
        raise PipelineError(
            f"there are no results of {', '.join(tasks) or 'any task'} (there are: {names}): "
            "run `make repro`, or `dvc pull` what others have run"
        )
    return kept, lacking
