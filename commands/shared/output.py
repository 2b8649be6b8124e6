"""What commands print: JSON for programs, a table for people, plain text where no terminal is."""

import json
import sys
from collections.abc import Sequence
from typing import Any


def print_json(content: Any) -> None:
    """Print plain data; a number that JSON does not have is an error."""
    print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal, aligned text elsewhere, which nothing cuts or wraps."""
    if sys.stdout.isatty():
        _draw_table(title, head, rows)
    else:
        print(format_table(title, head, rows))


def format_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as lines of text, each column as wide as its widest cell."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = [
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([title, *texts])


def _draw_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(markup=False).print(table)
