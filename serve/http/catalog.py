"""Every model under the models folder: those that serve, and why the others do not."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serve.http.settings import Settings
from serve.runtime.errors import RequestError
from serve.runtime.load import load_model
from serve.runtime.manifest_file import ManifestError
from serve.runtime.model import Model

log = logging.getLogger("serve")
Reasons = Mapping[str, str]  # by task


@dataclass(frozen=True)
class Catalog:
    """The loaded models and the refused ones' reasons, by task: a snapshot that never changes.

    ``app.shared.catalog`` is the one that counts now; a reload puts another one in its place. A
    request takes it once, and so sees the same models from its beginning to its end.
    """

    loaded: Mapping[str, Model] = field(default_factory=dict)
    refused: Reasons = field(default_factory=dict)  # tasks without any model
    kept: Reasons = field(default_factory=dict)  # why a newer model does not serve
    named_default: str | None = None

    @property
    def is_ready(self) -> bool:
        """Say whether every task that there should be is served."""
        return bool(self.loaded) and not self.refused

    @property
    def tasks(self) -> list[str]:
        return sorted([*self.loaded, *self.refused])

    @property
    def default(self) -> str | None:
        """The task of plain /predict: the one named, or the only one there is, even if refused."""
        return self.named_default or (self.tasks[0] if len(self.tasks) == 1 else None)

    @property
    def problem(self) -> str | None:
        """Why nothing can be predicted at all, if so."""
        if self.loaded:
            return None
        if self.refused:
            reasons = "; ".join(f"{task}: {reason}" for task, reason in self.refused.items())
            return f"no model could be loaded: {reasons}"
        return (
            "there are no models: make them with `make repro`, or set MODELS_DIR to their folder, "
            "and start the server again"
        )

    def find(self, task: str) -> Model:
        """Return a task's model; raises RequestError (404, 503) with the reason."""
        if task in self.loaded:
            return self.loaded[task]
        if self.problem:
            raise RequestError(503, self.problem)
        if task in self.refused:
            reason = f"the model of {task} could not be loaded: {self.refused[task]}"
            raise RequestError(503, reason)
        raise RequestError(404, f"there is no task {task[:80]!r}: {self._offer()}")

    def find_default(self) -> Model:
        """Return the default task's model; raises RequestError (404, 503) with the reason."""
        if self.problem:
            raise RequestError(503, self.problem)
        if self.default is None:
            raise RequestError(404, f"name a task, none is the default: {self._offer()}")
        if self.default not in self.tasks:
            reason = f"SERVE_DEFAULT_TASK is {self.default!r}, which is no task"
            raise RequestError(404, f"{reason}: {self._offer()}")
        return self.find(self.default)

    def _offer(self) -> str:
        return f"POST to {' or '.join(f'/predict/{task}' for task in self.tasks)}"


def load_catalog(settings: Settings, load: Callable[[Path], Model] = load_model) -> Catalog:
    """Load what the models folder holds, a folder for each task; one that fails spoils no other.

    With ``settings.tasks`` only those are loaded, and one without a folder is refused.
    """
    loaded: dict[str, Model] = {}
    refused: dict[str, str] = {}
    for path in list_task_folders(settings):
        try:
            loaded[path.name] = load(path)
            log.info("%s is served, version %s", path.name, loaded[path.name].manifest.version)
        except ManifestError as error:
            refused[path.name] = str(error)
            log.error("%s is not served: %s", path.name, error)
    catalog = Catalog(loaded, refused, named_default=settings.default_task)
    if catalog.problem:
        log.error("%s (looked in %s)", catalog.problem, settings.models_dir.absolute())
    return catalog


def list_task_folders(settings: Settings) -> list[Path]:
    """Return the folders of the tasks to serve, whether or not those that are named exist."""
    folder = settings.models_dir
    if settings.tasks:
        return [folder / task for task in settings.tasks]
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
