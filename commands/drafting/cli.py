"""The command that drafts a task's contract."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def draft(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A CSV, TSV or Parquet file, or a database's URL.")
    ],
    task: Annotated[
        str, typer.Option(metavar="NAME", help="The task's name, as in conf/task/NAME.yaml.")
    ],
    target: Annotated[str, typer.Option(metavar="COLUMN", help="The column to predict.")],
    positive: Annotated[
        str | None,
        typer.Option(metavar="VALUE", help="Of two classes the one whose probability is wanted."),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="The columns of a file without a header."),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="The query, where FILE is a database's URL."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the task's contract.")
    ] = False,
) -> None:
    """Draft a task's contract from a table: conf/task/NAME.yaml.

    A file outside the repository is copied into data/raw. The draft runs as it is; its comments say
    what was guessed.
    """
    from commands.drafting.draft import Request, draft

    columns = tuple(names.split(",")) if names else ()
    draft(Request(file, task, target, positive, columns, query, overwrite))
