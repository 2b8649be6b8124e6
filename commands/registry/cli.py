"""The commands of the registry: who is champion, how it became one, and how it is made again."""

from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from commands.shared.args import By, Json, Task, Version, Why
from commands.shared.composing import compose_first
from commands.shared.output import print_json

app = typer.Typer()


@app.command()
def register(task: Task, as_json: Json = False) -> None:
    """Log a task's candidates with MLflow and register its model as challenger.

    A second time changes nothing: it looks for itself what the registry has.
    """
    compose_first()
    from commands.registry.register import register

    _show(register(task), as_json)


@app.command()
def promote(task: Task, by: By, why: Why, as_json: Json = False) -> None:
    """Make a task's challenger its champion, if it is better on the same test rows.

    `promotion` in conf/config.yaml says what is good enough. Every transition goes into
    data/registry/TASK.jsonl: commit it.
    """
    compose_first()
    from commands.registry.promote import NotPromotedError, promote

    try:
        promotion = promote(task, by, why)
    except NotPromotedError as error:
        _show(error.promotion, as_json)
        raise
    _show(promotion, as_json)


@app.command()
def rollback(task: Task, by: By, why: Why) -> None:
    """Make a task's previous champion champion again, in models/, too.

    Its bytes come from MLflow, or else from DVC's cache or remote. The alias moves once the model
    has given its golden predictions again.
    """
    from commands.registry.rollback import rollback

    rollback(task, by, why)


@app.command()
def history(
    task: Task,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="A date or time in ISO 8601; UTC unless it has an offset."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the log against the registry.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show who was champion of a task, and when. Every hash of the log is verified."""
    from commands.registry.history import history

    _show(history(task, at, verify), as_json)


@app.command()
def pull(
    model: Version,
    into: Annotated[Path, typer.Option(help="The models folder.")] = Path("models"),
) -> None:
    """Put a registered model where the service reads it.

    The service knows nothing of MLflow: it takes over what changes in its models folder.
    """
    from commands.registry.pull import pull

    pull(model.task, model.version, into)


@app.command()
def rebuild(model: Version) -> None:
    """Make a registered model again from its commit, hash for hash.

    The commit is checked out beside the workspace, its data restored by hash, every stage run
    without a cache, and every output compared with the dvc.lock of then.
    """
    from commands.registry.rebuild import rebuild

    print(rebuild(model.task, model.version))


class _Answer(Protocol):
    def lines(self) -> list[str]: ...

    def content(self) -> dict[str, Any]: ...


def _show(answer: _Answer, as_json: bool) -> None:
    if as_json:
        print_json(answer.content())
    else:
        print("\n".join(answer.lines()), flush=True)
