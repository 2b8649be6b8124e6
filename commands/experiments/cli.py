"""The commands about experiments: search, rank, adopt, draw."""

from dataclasses import asdict
from typing import Annotated

import typer

from commands.shared.args import SEARCHES, TASKS, Json, Model, Task
from commands.shared.composing import compose_first
from commands.shared.output import print_json

app = typer.Typer()


@app.command()
def sweep(
    search: Annotated[
        str,
        SEARCHES.as_argument("SEARCH"),
    ],
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Experiments side by side.")
    ] = None,
) -> None:
    """Queue and run a search that a file describes, then rank what came out.

    The experiments are DVC's own, so `dvc exp show`, `dvc exp apply` and `dvc queue` know them.
    """
    compose_first()
    from commands.experiments.sweep import run_sweep

    run_sweep(search, jobs)


@app.command()
def leaderboard(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TASK", autocompletion=TASKS.complete, help="Tasks; all by default."
        ),
    ] = None,
    commits: Annotated[int, typer.Option(min=1, help="How many commits, from the last one.")] = 1,
    top: Annotated[int, typer.Option(min=1, help="Rows of each table.")] = 10,
    as_json: Json = False,
) -> None:
    """Rank the candidates of commits and of their experiments.

    A candidate is listed once, where it was first: an experiment shows only what is new in it.
    """
    from commands.experiments.leaderboard import find_entries, format_leaderboard

    if as_json:
        kept, lacking = find_entries(tasks or [], commits)
        print_json({"candidates": [asdict(entry) for entry in kept], "not_in_cache": lacking})
    else:
        print(format_leaderboard(tasks or [], commits, top))


@app.command()
def experiments(
    commits: Annotated[int, typer.Option(min=1, help="How many commits, from the last one.")] = 1,
    as_json: Json = False,
) -> None:
    """Compare commits and their experiments: each task's champion, and what differs."""
    from commands.experiments.compare import compare_experiments, find_rows

    if as_json:
        print_json([asdict(row) for row in find_rows(commits)])
    else:
        compare_experiments(commits)


@app.command()
def adopt(task: Task, model: Model) -> None:
    """Write what `tune` found for a model into the task's file.

    Changes the values of that model and nothing else. Review it with git before you train it.
    """
    from commands.experiments.adopt import adopt

    adopt(task, model)


@app.command()
def adopt_experiment(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="An experiment; else what params.yaml holds now."),
    ] = None,
) -> None:
    """Write an experiment's values into conf/, so that composing keeps them.

    Without a name: what params.yaml holds and conf/ does not give, as after `dvc exp apply`.
    Changes these values and nothing else. Review the change with git before you commit it.
    """
    from commands.experiments.adopt_experiment import adopt_experiment

    print(adopt_experiment(name))


@app.command()
def plots(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Plots of these files; all by default."),
    ] = None,
) -> None:
    """Draw all plots into one page, dvc_plots/index.html, that works offline."""
    from commands.experiments.plots import draw_plots

    raise typer.Exit(draw_plots(targets or []))
