"""The command-line program: every command, grouped by room, and how each of them ends.

Exit code 0: done. 1: it failed, or the answer is no. 2: the command line is wrong. 130: Ctrl-C.
A room's ``cli.py`` declares its commands; it loads what a command needs when the command runs.
"""

import sys

import typer

from commands.drafting import cli as drafting
from commands.experiments import cli as experiments
from commands.registry import cli as registry
from commands.review import cli as review
from commands.shared.rooms import Rooms
from commands.watching import cli as watching
from commands.workspace import cli as workspace
from stages.shared.errors import run_plainly

ROOMS = {
    "Drafting: begin with a table": drafting.app,
    "Workspace: configuration, data and stages": workspace.app,
    "Experiments: search, compare, keep what was found": experiments.app,
    "Review: report what a change does": review.app,
    "Registry: which model is champion, and why": registry.app,
    "Watching: later rows against those trained on": watching.app,
}

app = typer.Typer(
    cls=Rooms,
    help="From a table and one YAML file to models trained, compared, registered and restored.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
)
for title, room in ROOMS.items():
    for command in room.registered_commands:
        command.rich_help_panel = title
        app.registered_commands.append(command)


def main() -> None:
    """Run the command that the command line names."""
    run_plainly(" ".join(sys.argv[1:2]), app)
