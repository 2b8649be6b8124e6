"""Takes over models that change under the models folder, and only those that prove themselves.

A new model is read and verified in a thread while the old one serves on; then one assignment puts
a new `Catalog` in place. Whatever is wrong with a new model, the old one stays.
"""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Literal

from fastapi.concurrency import run_in_threadpool

from serve.http.catalog import Reasons, list_task_folders, load_catalog
from serve.http.proving import load_proven
from serve.http.state import Shared
from serve.runtime.manifest_file import ManifestError
from serve.runtime.model import Model

log = logging.getLogger("serve")
Outcome = Literal["unchanged", "served", "refused", "removed"]
Fingerprint = frozenset[tuple[str, int, int, int]]  # of each file: name, inode, size, time
GONE: Fingerprint = frozenset()


class Reloader:
    """Keeps ``shared.catalog`` up to date; its methods run on the event loop."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._tried: dict[str, Fingerprint] = {}
        self._one_at_a_time = asyncio.Lock()
        folder = shared.telemetry.folder
        self._bell = folder / "reload" if folder else None  # touched, it wakes the other workers
        self._heard = _read_time(self._bell)

    def start(self) -> None:
        """Load all models, before there is anything to serve on."""
        shared = self.shared
        self._tried = _take_fingerprints(shared)
        shared.catalog = load_catalog(shared.settings, load_proven)
        for model in shared.catalog.loaded.values():
            shared.telemetry.set_serving(model.manifest)

    async def watch(self) -> None:
        """Look for changes for ever, and for another worker's bell."""
        settings = self.shared.settings
        while settings.reload or self._bell:
            await asyncio.sleep(settings.reload_seconds)
            heard, self._heard = self._heard, _read_time(self._bell)
            try:
                if self._heard != heard or settings.reload:
                    await self.reload(again=self._heard != heard)
            except OSError as error:  # the models folder cannot be read: the old models serve on
                log.error("the models folder cannot be watched: %s", error)

    async def reload_everywhere(self) -> dict[str, Outcome]:
        """Try everything again, and let the other workers do so as well."""
        if self._bell:
            self._bell.touch()
            self._heard = _read_time(self._bell)
        return await self.reload()

    async def reload(self, again: bool = True) -> dict[str, Outcome]:
        """Take over what has changed since it was last tried, or with ``again`` try everything.

        Returns what became of each task.
        """
        async with self._one_at_a_time:
            found = await run_in_threadpool(_take_fingerprints, self.shared)
            outcomes: dict[str, Outcome] = {}
            for task, fingerprint in found.items():
                if again or self._tried.get(task) != fingerprint:
                    outcomes[task] = await self._take_over(task, fingerprint)
                else:
                    outcomes[task] = "unchanged"
            return outcomes

    async def _take_over(self, task: str, fingerprint: Fingerprint) -> Outcome:
        self._tried[task] = fingerprint
        catalog, folder = self.shared.catalog, self.shared.settings.models_dir / task
        if fingerprint == GONE:
            return self._keep(task) if task in catalog.loaded else self._forget(task)
        try:
            model = await run_in_threadpool(load_proven, folder)
        except ManifestError as error:
            return self._refuse(task, str(error))
        return self._serve(task, model)

    def _serve(self, task: str, model: Model) -> Outcome:
        shared, catalog = self.shared, self.shared.catalog
        old = catalog.loaded.get(task)
        kept = _drop_task(catalog.kept, task)
        if old and (old.manifest, old.registered) == (model.manifest, model.registered):
            shared.catalog = replace(catalog, kept=kept)
            return "unchanged"
        loaded = dict(sorted({**catalog.loaded, task: model}.items()))
        refused = _drop_task(catalog.refused, task)
        shared.catalog = replace(catalog, loaded=loaded, refused=refused, kept=kept)
        if old:
            shared.telemetry.set_serving(old.manifest, now=False)
        shared.telemetry.set_serving(model.manifest)
        shared.telemetry.count_reload(task, "served")
        log.info("%s is served, version %s", task, model.manifest.version)
        return "served"

    def _refuse(self, task: str, reason: str) -> Outcome:
        catalog = self.shared.catalog
        if old := catalog.loaded.get(task):
            version = old.manifest.version
            reason = f"a new model is refused, version {version} serves on: {reason}"
            catalog = replace(catalog, kept={**catalog.kept, task: reason})
        else:
            catalog = replace(catalog, refused={**catalog.refused, task: reason})
        self.shared.catalog = catalog
        self.shared.telemetry.count_reload(task, "refused")
        log.error("%s: %s", task, reason)
        return "refused"

    def _keep(self, task: str) -> Outcome:
        """Let a model serve on whose folder is gone: an answer is better than none."""
        catalog = self.shared.catalog
        version = catalog.loaded[task].manifest.version
        reason = f"its folder is gone: version {version} serves on until the next start"
        self.shared.catalog = replace(catalog, kept={**catalog.kept, task: reason})
        log.warning("%s: %s", task, reason)
        return "removed"

    def _forget(self, task: str) -> Outcome:
        """Drop a task that never served and whose folder is gone, unless the settings name it."""
        catalog = self.shared.catalog
        if task not in self.shared.settings.tasks:
            self.shared.catalog = replace(catalog, refused=_drop_task(catalog.refused, task))
            self._tried.pop(task)
        return "removed"


def _read_time(path: Path | None) -> int:
    return path.stat().st_mtime_ns if path and path.exists() else 0


def _drop_task(reasons: Reasons, task: str) -> Reasons:
    return {name: reason for name, reason in reasons.items() if name != task}


def _take_fingerprints(shared: Shared) -> dict[str, Fingerprint]:
    """Return what each task's folder looks like, of the tasks that there are, and those known."""
    folders = {path.name: path for path in list_task_folders(shared.settings)}
    known = {*shared.catalog.loaded, *shared.catalog.refused}
    folders |= {task: shared.settings.models_dir / task for task in known - set(folders)}
    return {task: _take_fingerprint(folder) for task, folder in sorted(folders.items())}


def _take_fingerprint(folder: Path) -> Fingerprint:
    try:
        found = [(path.name, path.stat()) for path in folder.iterdir()]
    except FileNotFoundError:
        return GONE
    return frozenset((name, s.st_ino, s.st_size, s.st_mtime_ns) for name, s in found)
