"""The commands that hold later rows against those a model was trained on."""

from pathlib import Path
from typing import Annotated

import typer

from commands.shared.args import Json, Task
from commands.shared.composing import compose_first

app = typer.Typer()


@app.command()
def monitor(
    task: Task,
    window: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="A Parquet file of later rows; by default the contract's window."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A folder for monitoring.json and monitoring.html; none by default."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Hold later rows of a task against its reference, as the stage does.

    Exit code 0: nothing that matters. 1: an alarm. 2: the rows could not be judged, or are none.
    """
    compose_first()
    from commands.watching.monitor import EXIT_CODES, monitor_file
    from stages.shared.errors import PipelineError

    try:
        verdict = monitor_file(task, window, out, as_json)
    except FileNotFoundError as error:
        typer.echo(f"\nmonitor: {error.filename} is not here\n", err=True)
        raise typer.Exit(2) from error
    except PipelineError as error:
        typer.echo(f"\nmonitor: {error}\n", err=True)
        raise typer.Exit(2) from error
    raise typer.Exit(EXIT_CODES[verdict])
