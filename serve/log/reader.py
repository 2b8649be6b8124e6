"""Reads the prediction log. Any process may: nothing of the server is imported here."""

import json
from collections.abc import Iterator
from pathlib import Path

from serve.log.format import LoggedRow, list_files


def read_predictions(folder: Path) -> Iterator[LoggedRow]:
    """Yield every row that was logged, file by file in the order in which they were begun.

    A torn line at a file's end, which a killed process may leave, is passed over. Files may be
    written meanwhile.
    """
    for path in list_files(folder):
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)
