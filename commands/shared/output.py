"""What commands print: JSON for programs, a table for people, plain text where no terminal is."""

import json
import sys
from collections.abc import Sequence
from typing import Any


def print_json(content: Any) -> None:
    """Print plain data; a number that JSON does not have is an error."""
    print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def format_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table for standard output: drawn on a terminal, else plain text, cut nowhere."""
    return (_draw_table if sys.stdout.isatty() else _align_table)(title, head, rows)


def _align_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as lines of text, each column as wide as its widest cell."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = [
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([title, *texts])


def _draw_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as wide as the terminal: longer cells go on in the next line."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(markup=False)
    with console.capture() as drawn:
        console.print(table)
    return drawn.get().rstrip("\n")
