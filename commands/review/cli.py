"""The commands of a review: the report, its places on GitHub, a retraining's pull request."""

from pathlib import Path
from typing import Annotated

import typer

from commands.shared.args import Json
from commands.shared.composing import compose_first

app = typer.Typer()


@app.command()
def report(
    base: Annotated[str, typer.Option(help="The commit or branch to compare with.")] = "main",
    out: Annotated[Path, typer.Option(help="The folder to write, and to empty before.")] = Path(
        "data/report"
    ),
    pictures: Annotated[bool, typer.Option(help="Draw pictures beside the Markdown.")] = True,
    as_json: Json = False,
) -> None:
    """Report what a change does to every task; exit code 1 on a declared regression.

    What a regression is stands in conf/config.yaml, under `report`.
    """
    compose_first()
    from commands.review.report import write_report
    from commands.shared.output import print_json

    outcome = write_report(base, out, pictures)
    if as_json:
        print_json(outcome.content())
    else:
        print(f"{outcome.headline}\n{outcome.path}")
    raise typer.Exit(bool(outcome.regressions))


@app.command()
def comment() -> None:
    """Post the report on its pull request, or update the one it has there."""
    from commands.review.comment import post_comment

    post_comment()


@app.command()
def summary() -> None:
    """Show the report in the summary of a workflow's run."""
    from commands.review.summary import show_summary

    show_summary()


@app.command()
def propose() -> None:
    """Open a pull request with a new dvc.lock and its report."""
    from commands.review.propose import propose_lock

    propose_lock()
