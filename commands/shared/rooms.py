"""A group of commands whose help shows them by room on a terminal and in plain text alike."""

from typing import Any

from typer.core import TyperGroup


class Rooms(TyperGroup):
    """Typer groups the commands on a terminal only; this does it for a file or a pipe, too."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as Typer has it
        rooms: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            line = command.get_short_help_str(formatter.width)
            rooms.setdefault(str(getattr(command, "rich_help_panel", "")), []).append((name, line))
        for title, rows in rooms.items():
            with formatter.section(title):
                formatter.write_dl(rows)
