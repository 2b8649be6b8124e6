"""Runs stages as soon as what they need is there, so many at a time."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from multiprocessing.connection import wait

from commands.workspace.scheduling.worker import GRACE, Job, Result


@dataclass(frozen=True)
class Finished:
    """What became of one stage, in how many seconds, and what it printed."""

    name: str
    result: Result
    seconds: float = 0.0
    output: str = ""


@dataclass
class Schedule:
    """One run of the stages in ``needs``, which maps each to its predecessors, in serial order.

    ``has_changed`` is asked once all that a stage needs is done, and ``start`` runs it. What takes
    most ``efforts`` to the end is started first.
    """

    needs: Mapping[str, set[str]]
    jobs: int
    has_changed: Callable[[str], bool]
    start: Callable[[str], Job]
    efforts: Mapping[str, int] = field(default_factory=dict)
    running: list[Job] = field(default_factory=list)

    def run(self) -> Iterator[Finished]:
        """Yield each stage when it is done; what depends on a failed one is never reached."""
        sorter = TopologicalSorter(self.needs)
        sorter.prepare()
        place, ready = rank_stages(self.needs, self.efforts), list(sorter.get_ready())
        while finished := self._run_next(sorted(ready, key=place.__getitem__), ready):
            if finished.result != "FAILED":
                sorter.done(finished.name)
            ready += sorter.get_ready()
            yield finished

    def interrupt(self) -> None:
        """Ask every stage that runs to end."""
        for job in self.running:
            job.interrupt()

    def end(self) -> None:
        """Wait for what was interrupted, and kill what does not end."""
        deadline = time.monotonic() + GRACE
        for job in self.running:
            job.end(deadline)

    def _run_next(self, ordered: list[str], ready: list[str]) -> Finished | None:
        """Return the next stage that is done, or None where all are; start what there is room for.

        Takes what it starts or finds unchanged out of ``ready``.
        """
        for name in ordered[: self.jobs - len(self.running)]:
            ready.remove(name)
            if not self.has_changed(name):
                return Finished(name, "did not change")
            self.running.append(self.start(name))
        return self._wait_for_end() if self.running else None

    def _wait_for_end(self) -> Finished:
        """Wait until a process ends."""
        ended = wait([job.sentinel for job in self.running])
        job = next(job for job in self.running if job.sentinel in ended)
        self.running.remove(job)
        return Finished(job.name, job.result, job.seconds, job.output)


def rank_stages(
    needs: Mapping[str, set[str]], efforts: Mapping[str, int]
) -> dict[str, tuple[int, int]]:
    """Return each stage's place in the queue: first what begins the longest way to the end.

    A way is as long as the ``efforts`` of its stages together, which are 1 unless given.
    """
    length: dict[str, int] = {}
    after = dict.fromkeys(needs, 0)
    for name in reversed(list(TopologicalSorter(needs).static_order())):
        length[name] = after[name] + efforts.get(name, 1)
        for before in needs[name]:
            after[before] = max(after[before], length[name])
    return {name: (-length[name], i) for i, name in enumerate(needs)}
