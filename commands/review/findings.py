"""Gathers all that a report tells, before a word of it is written."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from commands.review.commits import Commit, list_uncommitted
from commands.review.compare import Compared, compare_sides, is_same
from commands.review.data import DataChange, compare_data
from commands.review.ran import Stages, compare_stages, find_outdated
from commands.review.settings import ReportSettings
from commands.review.side import EVALUATION, FILES, PREPARED, Side
from commands.review.snapshot import Snapshot
from commands.review.values import Change, find_changes
from commands.workspace.prune import list_stage_names
from stages.runner.stopwatch import read_seconds
from stages.shared.errors import PipelineError
from stages.shared.schema import SPLITS

ORDER = (
    "worse",
    "unknown",
    "inconclusive",
    "better",
    "not worse",
    "compared",
    "new",
    "removed",
    "same",
)


@dataclass(frozen=True)
class Findings:
    """What differs between two states of the pipeline, the most important task first.

    ``data`` holds what became of each task's table, or why that is not known; a table that is the
    same is not among them. ``outdated`` are stages that would run, so that the report is not about
    the files here. ``seconds`` has the stages that ever ran here.
    """

    base: Commit
    head: Commit
    settings: ReportSettings
    compared: tuple[Compared, ...]
    data: dict[str, DataChange | str]
    params: tuple[Change, ...]
    stages: Stages
    outdated: tuple[str, ...]
    uncommitted: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def has_base(self) -> bool:
        """Whether the base was ever run."""
        return bool(self.stages.restored or self.stages.removed) or any(
            run.state == "ran" for run in self.stages.ran
        )


def gather_findings(
    base: Commit, head: Commit, before: Snapshot, here: Snapshot, settings: ReportSettings
) -> Findings:
    """Compare two snapshots in every respect."""
    both = [task for task in here.tasks if task in before.tasks]
    pairs = {task: (Side(task, before), Side(task, here)) for task in both}
    for snapshot in (before, here):
        snapshot.fetch(_list_needed_files(pairs))
    for place, snapshot in enumerate((before, here)):
        changed = [sides[place] for sides in pairs.values() if not is_same(*sides)]
        snapshot.fetch(_list_out_of_fold_files(changed))
    declared = list_stage_names(YAML(typ="safe").load(Path("dvc.yaml").read_text(encoding="utf-8")))
    return Findings(
        base=base,
        head=head,
        settings=settings,
        compared=tuple(sorted(_compare_tasks(pairs, before, here, settings), key=_rank_task)),
        data={
            task: _compare_data(*sides)
            for task, sides in pairs.items()
            if not _has_same_data(*sides)
        },
        params=tuple(find_changes(before.params, here.params)),
        stages=compare_stages(before.stages, here.stages, here.store),
        outdated=tuple(find_outdated(declared, here.stages, here.params, here.store)),
        uncommitted=tuple(list_uncommitted()),
        seconds=_read_durations(here),
    )


def _compare_tasks(
    pairs: dict[str, tuple[Side, Side]], before: Snapshot, here: Snapshot, settings: ReportSettings
) -> list[Compared]:
    """Compare every task; the error allowed is shared by those whose predictions changed."""
    changed = [task for task, sides in pairs.items() if not is_same(*sides)]
    alpha = (1 - settings.confidence) / max(len(changed), 1)
    found = [compare_sides(*pairs[task], alpha, settings.tolerance) for task in changed]
    found += [Compared(task, "same", "", *pairs[task]) for task in pairs if task not in changed]
    found += [
        Compared(task, "new", here=Side(task, here)) for task in here.tasks if task not in pairs
    ]
    return found + [Compared(task, "removed") for task in before.tasks if task not in here.tasks]


def _list_needed_files(pairs: dict[str, tuple[Side, Side]]) -> list[str]:
    """Return the files to be read: of a task of which nothing changed only its evaluation."""
    return [
        name.format(task=task)
        for task, sides in pairs.items()
        for name in ([EVALUATION] if is_same(*sides) and _has_same_data(*sides) else FILES)
    ]


def _list_out_of_fold_files(sides: Iterable[Side]) -> list[str]:
    """Return the champions' out-of-fold predictions, which only an evaluation names."""
    found = []
    for side in sides:
        with suppress(PipelineError):  # what is missing is reported where it is compared
            found.append(side.out_of_fold_file)
    return found


def _has_same_data(base: Side, here: Side) -> bool:
    names = [f"{PREPARED}/{split}.parquet" for split in SPLITS]
    return all(base.digest(name) == here.digest(name) for name in names)


def _compare_data(base: Side, here: Side) -> DataChange | str:
    try:
        return compare_data(base, here)
    except PipelineError as error:
        return str(error)


def _read_durations(here: Snapshot) -> dict[str, float]:
    found = {name: read_seconds(entry["cmd"]) for name, entry in here.stages.items()}
    return {name: duration for name, duration in found.items() if duration is not None}


def _rank_task(task: Compared) -> tuple[int, str]:
    word = task.verdict or task.state
    return ORDER.index(word), task.task
