"""Holds what only commands read, not stages, against its types: report, promotion, searches."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from commands.experiments.sweep import FOLDER, Search, read_search
from commands.registry.settings import Promotion
from commands.review.settings import ReportSettings
from stages.composing.checking import check_configuration, check_task, parse_section
from stages.shared.errors import PipelineError
from stages.shared.model import Model


def check_settings(params: Any) -> None:
    """Raise PipelineError, with file, key, value and choices, for what a command would refuse."""
    parse_section(ReportSettings, params, "report")
    parse_section(Promotion, params, "promotion")
    for path in sorted(FOLDER.glob("*.yaml")):
        _check_search(read_search(path.stem), path.as_posix(), params)


def _check_search(search: Search, where: str, params: Any) -> None:
    """Try each value of a search as if ``conf/`` had it."""
    if unknown := sorted({*search.tasks} - {*params["task"]}):
        known = ", ".join(params["task"])
        raise PipelineError(
            f"{where}: tasks = {search.tasks}: {unknown} are none; there are {known}"
        )
    for values in _list_trials(search):
        changed = deepcopy(params)
        try:
            for key, value in values.items():
                _set_value(changed, key, value)
            _check_changed(changed, list(values))
        except PipelineError as error:
            listing = ", ".join(f"{key} = {value!r}" for key, value in values.items())
            raise PipelineError(f"{where}: with {listing}:\n{error}") from error


def _list_trials(search: Search) -> Iterator[dict[str, Any]]:
    """Yield values so that each of a search's is among them once at least."""
    for number in range(max(map(len, search.values.values()))):
        swept = {
            key: choices[min(number, len(choices) - 1)] for key, choices in search.values.items()
        }
        yield {**search.fixed, **swept}


def _set_value(params: Any, key: str, value: Any) -> None:
    """Set a value as Hydra does: what has keys must be there, though it may have none yet."""
    *sections, name = key.split(".")
    inside = params
    for depth, section in enumerate(sections, 1):
        if not isinstance(inside, dict) or section not in inside:
            raise PipelineError(f"there is no {'.'.join(sections[:depth])}")
        inside[section] = {} if inside[section] is None else inside[section]
        inside = inside[section]
    inside[name] = value


def _check_changed(params: Any, keys: list[str]) -> None:
    """Check the tasks that were changed, or all where something else was."""
    if not all(key.startswith("task.") for key in keys):
        check_configuration(params)
        return
    models = {name: Model.parse(content, name) for name, content in params["model"].items()}
    for task in dict.fromkeys(key.split(".")[1] for key in keys):
        check_task(params, task, models)
