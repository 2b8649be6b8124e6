"""Ranks all candidates of commits and experiments: ``python -m commands leaderboard [TASK…]``.

A candidate is listed once, where it was first: an experiment shows only what is new in it.
"""

import argparse
from pathlib import Path

from dvc.repo import Repo

from commands.experiments.ranking.entries import entries
from commands.experiments.ranking.history import states
from commands.experiments.ranking.table import tables
from stages.runner.declare import run_plainly
from stages.shared.errors import PipelineError


def main() -> None:
    """Print the tables; raises PipelineError where there is nothing to rank."""
    options = read_options()
    print(leaderboard(options.tasks, options.commits, options.top))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m commands leaderboard", description=__doc__)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="all by default")
    parser.add_argument("--commits", type=int, default=1, help="the last so many commits (1)")
    parser.add_argument("--top", type=int, default=10, help="rows of each table (10)")
    return parser.parse_args()


def leaderboard(tasks: list[str], commits: int, most: int) -> str:
    """Return the tables of the named tasks, or of all."""
    found, lacking = entries(states(commits), Path(Repo().cache.local.path))
    kept = [it for it in found if it.task in tasks or not tasks]
    if not kept:
        names = ", ".join(sorted({it.task for it in found})) or "none"
        raise PipelineError(
            f"there are no results of {', '.join(tasks) or 'any task'} (there are: {names}): "
            "run `make repro`, or `dvc pull` what others have run"
        )
    note = f"\n\n{lacking} results are not in the cache: `dvc pull` gets them" if lacking else ""
    return tables(kept, most) + note


if __name__ == "__main__":
    run_plainly("leaderboard", main)
