"""Compares commits and their experiments, one row each: ``python -m commands experiments``.

Of each task the champion and its score on the test rows, for experiments only where they differ
from the commit below them. `dvc exp show` has every other figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.repo import Repo

from commands.experiments.ranking.entries import read_changes, read_evaluations
from commands.experiments.ranking.history import State, list_states
from commands.experiments.ranking.table import shorten_changes
from commands.shared.output import format_table
from stages.evaluating.formatting import format_number
from stages.shared.errors import PipelineError

NOTE = "the champions' scores on the test rows; `make leaderboard` has all candidates and intervals"
SAME = "·"  # as in the commit that an experiment is based on


@dataclass(frozen=True)
class Row:
    """A commit, an experiment or the workspace: each task's champion, and what it sets anew."""

    state: State
    champions: Mapping[str, str]
    changes: tuple[str, ...]


def compare_experiments(commits: int) -> None:
    """Print the table; raises PipelineError where there is nothing to compare."""
    rows = find_rows(commits)
    if not any(row.champions for row in rows):
        raise PipelineError(
            "no commit here has results in DVC's cache: run `make repro`, or `dvc pull` what "
            "others have run"
        )
    print(format_table(NOTE, *format_rows(rows)))


def find_rows(commits: int) -> list[Row]:
    """Return the last commits of this branch, each with its experiments, and the workspace."""
    cache = Path(Repo().cache.local.path)
    return [
        Row(state, _read_champions(state, cache), tuple(read_changes(state)))
        for state in list_states(commits)
    ]


def format_rows(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return the head and the cells: a column for each task, and none that is empty."""
    columns = sorted({task for row in rows for task in row.champions})
    bases = {row.state.commit: row for row in rows if row.state.commit == row.state.base}
    head = ["commit", "experiment", "when", *columns, "set to"]
    lines = [
        [
            row.state.commit[:7],
            row.state.experiment,
            row.state.when,
            *(_format_cell(row, bases.get(row.state.base), column) for column in columns),
            shorten_changes(row.changes),
        ]
        for row in rows
    ]
    return head, lines


def _format_cell(row: Row, base: Row | None, column: str) -> str:
    value = row.champions.get(column, "")
    is_same = base is not None and base is not row and value == base.champions.get(column)
    return SAME if is_same and value else value


def _read_champions(state: State, cache: Path) -> dict[str, str]:
    """Return the score and the name of each task's champion, by the task and its metric."""
    found, _ = read_evaluations(state, cache)
    return dict(_read_champion(evaluation) for evaluation in found)


def _read_champion(evaluation: dict[str, Any]) -> tuple[str, str]:
    metric = evaluation["metric"]
    value = evaluation["test"]["metrics"][metric]["value"]
    chosen = next(
        candidate["model"] for candidate in evaluation["candidates"] if candidate["chosen"]
    )
    return f"{evaluation['task']} {metric}", f"{format_number(value)} {chosen}"
