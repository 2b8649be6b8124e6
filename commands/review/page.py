"""Puts a report together: status first, the most important next, short enough for a comment."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

from commands.review.background import (
    write_data_section,
    write_params_section,
    write_reproduction,
    write_stages_section,
)
from commands.review.findings import Findings
from commands.review.regressions import Regression
from commands.review.status import write_headline, write_status
from commands.review.task_section import write_task_section

LIMIT = 65_536  # GitHub's, in characters; held in bytes, to be on the safe side
LENGTHS = (100, 40, 20, 10, 5, 3, 1)  # rows of a table, tried until the report is short enough
MOST_NAMES = 10  # of parts that were left out
Part = tuple[str, Callable[[int], str]]  # a name, and what writes it with tables of so many rows


def write_page(
    findings: Findings, regressions: Sequence[Regression], pictures: Mapping[str, str]
) -> str:
    """Return the whole report as Markdown of fewer than LIMIT bytes.

    Tables lose rows first, then whole parts go, the last ones first: the status always stays.
    ``pictures`` maps a task to its picture's file.
    """
    # Written once for each length, however often the page is put together.
    parts = [(name, cache(write)) for name, write in _list_parts(findings, regressions, pictures)]
    for most in LENGTHS:
        if len(text := _join_parts(parts, most).encode()) < LIMIT:
            return text.decode()
    for kept in range(len(parts) - 1, 0, -1):
        shortened: list[Part] = [*parts[:kept], ("", partial(_describe_left_out, parts[kept:]))]
        if len(text := _join_parts(shortened, LENGTHS[-1]).encode()) < LIMIT:
            return text.decode()
    return f"# {write_headline(findings, regressions)}\n"


def _list_parts(
    findings: Findings, regressions: Sequence[Regression], pictures: Mapping[str, str]
) -> list[Part]:
    """Return every part, the most important first."""
    parts: list[Part] = [("status", partial(write_status, findings, regressions))]
    for task in findings.compared:
        if task.state == "compared":
            picture = pictures.get(task.task, "")
            parts.append((task.task, partial(write_task_section, task, picture)))
    return [
        *parts,
        ("data", partial(write_data_section, findings)),
        ("parameters", partial(write_params_section, findings)),
        ("stages", partial(write_stages_section, findings)),
        ("how to reproduce", lambda _: write_reproduction(findings)),
    ]


def _join_parts(parts: Sequence[Part], most: int) -> str:
    return "\n\n".join(text for _, write in parts if (text := write(most))) + "\n"


def _describe_left_out(parts: Sequence[Part], _: int) -> str:
    names = [name for name, _ in parts]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    listing = ", ".join(names[:MOST_NAMES]) + more
    return f"*Left out, because a comment on GitHub holds {LIMIT:,} characters: {listing}.*"
