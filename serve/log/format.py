"""What the prediction log is on disk: files of JSON lines, one for each row that was answered."""

import re
from pathlib import Path
from typing import Any, TypedDict

ENDING = ".jsonl"
NAME = re.compile(r"(?P<number>[0-9]{20})-[0-9]+" + re.escape(ENDING))


class LoggedRow(TypedDict):
    """A row and its answer.

    ``time`` is ISO 8601 in UTC, ``inputs`` the row without hidden columns, ``output`` what
    `/predict` answers for a row. One request's rows have its ``request_id`` in common.
    """

    time: str
    request_id: str
    task: str
    version: str
    inputs: dict[str, Any]
    output: dict[str, Any]


def list_files(folder: Path) -> list[Path]:
    """Return the log's files in the order in which they were begun; others are not its own.

    A file only ever grows by whole lines. A torn one at its end is not there yet.
    """
    return sorted(path for path in folder.glob(f"*{ENDING}") if NAME.fullmatch(path.name))


def read_number(path: Path) -> int:
    """Return the number by which a file of the log comes before those begun later."""
    found = NAME.fullmatch(path.name)
    return int(found["number"]) if found else 0
