"""The leaderboard as text, one table a task, the best candidates first."""

from collections.abc import Sequence

from commands.experiments.ranking.entries import Entry
from commands.shared.output import format_table
from stages.evaluating.formatting import format_number

HEAD = ("", "model", "cross-validated", "test", "experiment", "commit", "when", "set to")
MOST_CHANGES = 3


def format_tables(entries: Sequence[Entry], most: int) -> str:
    """Return a table for each task and metric, with at most so many rows."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.task, entry.metric), []).append(entry)
    return "\n\n".join(_format_table(groups[key], most) for key in sorted(groups))


def _format_table(entries: list[Entry], most: int) -> str:
    first, sign = entries[0], -1 if entries[0].higher_is_better else 1
    ranked = sorted(entries, key=lambda entry: sign * entry.mean)
    rows = [_format_cells(number, entry) for number, entry in enumerate(ranked[:most], 1)]
    left = f"\n… and {len(ranked) - most} more (--top)" if len(ranked) > most else ""
    return format_table(_write_title(first), HEAD, rows) + left


def _write_title(entry: Entry) -> str:
    better = "higher" if entry.higher_is_better else "lower"
    return (
        f"{entry.task}: {entry.metric}, {better} is better; ± standard error over the folds; "
        f"champions on {entry.rows} test rows [{100 * entry.confidence:g} % interval]"
    )


def _format_cells(number: int, entry: Entry) -> tuple[str, ...]:
    state = entry.state
    return (
        str(number),
        entry.model,
        f"{format_number(entry.mean)} ± {format_number(entry.error)}",
        _format_test(entry),
        state.experiment,
        state.commit[:7],
        state.when,
        shorten_changes(entry.changes),
    )


def _format_test(entry: Entry) -> str:
    if not entry.test:
        return ""
    text = "{} [{}, {}]".format(*map(format_number, entry.test))
    return text if entry.beats_baseline else f"{text}, no better than the baseline"


def shorten_changes(found: Sequence[str]) -> str:
    """Return the first changes, and how many more there are."""
    left = len(found) - MOST_CHANGES
    return ", ".join(found[:MOST_CHANGES]) + (f" and {left} more" if left > 0 else "")
