"""Says what fails a pull request: what `report` in ``conf/config.yaml`` declares a regression."""

from collections.abc import Iterator, Sequence

from commands.review.compare import Compared
from commands.review.settings import ReportSettings
from commands.shared.paired import Difference


def failures(
    compared: Sequence[Compared], settings: ReportSettings
) -> list[tuple[str, Difference]]:
    """Return each regression that the settings do not let pass, with its task."""
    return [
        (task.task, it)
        for task in compared
        for it in _looked_at(task, settings)
        if it.verdict == "worse" and abs(it.value) > settings.allowed_loss * abs(it.base)
    ]


def _looked_at(task: Compared, settings: ReportSettings) -> Iterator[Difference]:
    if "metrics" in settings.fail_on:
        yield from task.metrics
    elif "metric" in settings.fail_on and task.own:
        yield task.own
    if "slices" in settings.fail_on:
        yield from task.slices
