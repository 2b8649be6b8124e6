"""Finds what fails a pull request: what `report.fail_on` in ``conf/config.yaml`` declares."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from commands.review.compare import Compared
from commands.review.settings import ReportSettings
from commands.shared.paired import Difference, Verdict


@dataclass(frozen=True)
class Regression:
    """What fails the report: a loss that is certain, or one that the rows cannot rule out."""

    task: str
    verdict: Verdict
    difference: Difference


def find_regressions(compared: Sequence[Compared], settings: ReportSettings) -> list[Regression]:
    """Return each regression that the settings do not let pass."""
    return [regression for task in compared for regression in _find_in_task(task, settings)]


def _find_in_task(task: Compared, settings: ReportSettings) -> Iterator[Regression]:
    for difference in _list_watched(task, settings):
        allowed = settings.allowed_loss * abs(difference.base)
        if difference.verdict == "worse" and abs(difference.value) > allowed:
            yield Regression(task.task, "worse", difference)
    if "inconclusive" in settings.fail_on and task.verdict == "inconclusive" and task.narrowest:
        yield Regression(task.task, "inconclusive", task.narrowest)


def _list_watched(task: Compared, settings: ReportSettings) -> Iterator[Difference]:
    if "metrics" in settings.fail_on:
        yield from task.metrics
    elif "metric" in settings.fail_on and task.own:
        yield task.own
    if "out_of_fold" in settings.fail_on and task.out_of_fold:
        yield task.out_of_fold
    if "slices" in settings.fail_on:
        yield from task.slices
