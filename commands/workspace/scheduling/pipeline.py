"""DVC's own view of the pipeline: its graph, the order of a serial run, and what has changed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

from commands.workspace.lockfile import read_lock, write_entries
from commands.workspace.merging import split_entries
from commands.workspace.repairing import repair_files
from commands.workspace.scheduling.selection import show_tasks_of
from commands.workspace.scheduling.worker import Job
from stages.shared.errors import PipelineError
from stages.shared.storage import write_text

ORDER = Path(".dvc/tmp/repro/order")  # of the entries in dvc.lock, until a run ends


class Pipeline:
    """The stages that ``dvc repro TARGET…`` would look at, by name and in its order.

    ``needs`` maps each to the stages whose outputs it reads, ``efforts`` to what it says under
    ``meta`` of how long it takes beside others.
    """

    def __init__(self, targets: Sequence[str]) -> None:
        """Load the graph; raises PipelineError where DVC finds no pipeline or no such target."""
        repair_files()
        show_tasks_of(targets)
        try:
            self._repo = Repo()
            stages = collect_stages(self._repo, targets or ["dvc.yaml"])
            graph = get_active_graph(self._repo.index.graph)
            plan = plan_repro(graph, stages)
        except DvcException as error:
            raise PipelineError(str(error)) from error
        self._stages = {stage.addressing: stage for stage in plan}
        self.needs = {
            stage.addressing: {needed.addressing for needed in graph.successors(stage)}
            for stage in plan
        }
        self.efforts = {stage.addressing: (stage.meta or {}).get("effort", 1) for stage in plan}
        self._locked = read_known_order()

    @property
    def names(self) -> list[str]:
        return list(self._stages)

    def has_changed(self, name: str) -> bool:
        """Whether to have DVC run the stage, now that all it needs is there.

        Looks at what DVC would look at, without the lock that others hold while they start.
        """
        stage = self._stages[name]
        return (
            stage.always_changed
            or stage.is_callback
            or stage.changed_stage()
            or any(file.status() for file in [*stage.deps, *stage.outs])
        )

    def start(self, name: str) -> Job:
        """Start to run the stage, in a process of its own."""
        return Job(name, self._stages[name])

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Hold DVC's lock, so that no process is just writing ``dvc.lock`` or the cache.

        Goes on without it after the three seconds that DVC itself waits.
        """
        lock: Any = self._repo.lock
        try:
            lock.lock()
        except LockError:
            yield
        else:
            try:
                yield
            finally:
                lock.unlock()

    @contextmanager
    def in_order(self) -> Iterator[None]:
        """Sort what is added to ``dvc.lock`` meanwhile, as a serial run would have added it.

        DVC keeps an entry's place and appends new ones as their stages finish. Where a run is
        killed, the next one knows what the order was.
        """
        write_text(ORDER, "\n".join(self._locked))
        try:
            yield
        finally:
            self._sort()
            ORDER.unlink(missing_ok=True)

    def _sort(self) -> None:
        with self.at_rest():
            found = split_entries(read_lock())
            place = {name: i for i, name in enumerate(dict.fromkeys([*self._locked, *self.names]))}
            ordered = sorted(found, key=lambda block: place.get(block[0], len(place)))
            if ordered != found:
                write_entries(ordered)


def read_known_order() -> list[str]:
    """Return the entries of ``dvc.lock`` in order, as they were before a run that was killed."""
    if ORDER.exists():
        return ORDER.read_text(encoding="utf-8").split("\n")
    return [name for name, _ in split_entries(read_lock())]
