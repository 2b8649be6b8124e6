"""The commands of the workspace: configuration, data, stages, and DVC's own files."""

from typing import Annotated

import typer

from commands.shared.args import TASKS, Json, Task
from commands.shared.composing import compose_first

app = typer.Typer()


@app.command()
def compose(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where a file is out of date.")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Drop what params.yaml holds and conf/ does not.")
    ] = False,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            parser=TASKS.read,
            autocompletion=TASKS.complete,
            help="Go on without other tasks whose files do not hold.",
        ),
    ] = None,
) -> None:
    """Write params.yaml and dvc.yaml from conf/ and stages/.

    It writes conf/menu.yaml and conf/libraries.yaml too: what there is to compose. It stops before
    it loses a value of params.yaml, such as an experiment's, that conf/ does not give.
    """
    if check:
        from stages.compose import check as check_files

        check_files()
    else:
        from commands.workspace.compose import compose as write_files

        write_files(discard, [task] if task else [])


@app.command()
def repro(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="STAGE", help="Stages; all by default.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages side by side.")] = 2,
) -> None:
    """Run what has changed, independent stages side by side.

    The same as `dvc repro` to the last byte of dvc.lock, but for the time it takes. A stage that
    fails stops only what depends on it.
    """
    compose_first(targets or [])
    from commands.workspace.repro import repro

    raise typer.Exit(repro(targets or [], jobs))


@app.command()
def repair() -> None:
    """Put DVC's own files in order after a kill or a merge."""
    from commands.workspace.repair import repair

    repair()


@app.command()
def push() -> None:
    """Send what dvc.lock names, and the run cache, to the remote.

    It is safe to interrupt: run the same command again, and it goes on from there.
    """
    from commands.workspace.push import push
    from commands.workspace.remote import say_safe_to_interrupt

    with say_safe_to_interrupt():
        print(push())


@app.command()
def restore() -> None:
    """Restore from the remote what dvc.lock names, and from the run cache the rest.

    In a fresh clone no stage runs. It is safe to interrupt: run the same command again.
    """
    compose_first()
    from commands.workspace.remote import say_safe_to_interrupt
    from commands.workspace.restore import restore

    with say_safe_to_interrupt():
        restore()


@app.command()
def verify(as_json: Json = False) -> None:
    """Check every tracked file, cache object and exported model against its hash.

    DVC never checks its cache. A damaged object is set aside, so that `dvc repro` makes it anew.
    """
    from commands.shared.output import print_json
    from commands.workspace.verify import REMEDY, find_problems

    problems = find_problems()
    if as_json:
        print_json({"intact": not problems, "problems": problems})
    elif problems:
        typer.echo("\n".join([*problems, REMEDY]), err=True)
    else:
        print("every file, cache object and exported model is what its hash says")
    raise typer.Exit(bool(problems))


@app.command()
def set_reference(task: Task) -> None:
    """Compare later tables of a task with the one validated last.

    Copies its statistics into data/accepted, where git keeps them.
    """
    from commands.workspace.set_reference import set_reference

    set_reference(task)
