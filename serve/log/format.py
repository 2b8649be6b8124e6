"""What the prediction log is on disk: files of JSON lines, one for each row that was answered."""

from pathlib import Path
from typing import Any, TypedDict

ENDING = ".jsonl"


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
    """Return the log's files in the order in which they were begun."""
    return sorted(folder.glob(f"*{ENDING}"))
