"""Runs single stages in processes of their own, forked from one that has loaded the pipeline.

Loading DVC and the pipeline takes longer than all that DVC does for a small stage, and the more so
the more tasks there are; so they are loaded once.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, Literal

from commands.workspace.scheduling.lock_writer import write_entries_alone

Result = Literal["ran", "restored", "did not change", "FAILED"]
LOGS = Path(".dvc/tmp/repro")
RESTORED = "is cached - skipping run"  # DVC's words where the run cache has the outputs
GRACE = 5.0  # seconds to end by itself after an interrupt

_context = multiprocessing.get_context("fork")


class Job:
    """A stage that is being run by ``dvc repro``, with all its output in a log file."""

    def __init__(self, name: str, stage: Any) -> None:
        import dvc.cli
        import dvc.commands.repro  # noqa: F401, once here and not in each process

        LOGS.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = LOGS / f"{name.replace('/', '-')}.log"
        self.log.unlink(missing_ok=True)
        self._started = time.monotonic()
        self._process: ForkProcess = _context.Process(target=_reproduce, args=(stage, self.log))
        self._process.start()

    @property
    def sentinel(self) -> int:
        """A handle that becomes ready when the process has ended."""
        return self._process.sentinel

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def result(self) -> Result:
        """What came of it; waits for the end."""
        self._process.join()
        if self._process.exitcode != 0:
            return "FAILED"
        return "restored" if RESTORED in self.output else "ran"

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def interrupt(self) -> None:
        """Ask DVC and the stage, which are a group of processes, to end."""
        self._signal(signal.SIGINT)

    def end(self, deadline: float) -> None:
        """Wait until ``deadline`` (of the monotonic clock), then kill what is left."""
        self._process.join(max(0.0, deadline - time.monotonic()))
        self._signal(signal.SIGKILL)
        self._process.join()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid or 0, number)


def _reproduce(stage: Any, log: Path) -> None:
    """Run one stage by DVC's command line; end when the scheduler is gone."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_scheduler, daemon=True, name="lifeline").start()
    with log.open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    _hand_over(stage)
    write_entries_alone()
    from dvc.cli import main

    sys.exit(main(["repro", "--single-item", stage.addressing]))


def _hand_over(stage: Any) -> None:
    """Have DVC's commands use the stage and the repository that are loaded, and wait for others.

    Each command would load both anew. The process runs no other command.
    """
    from dvc.cli.command import CmdBase

    repo = stage.repo
    repo.lock._wait = True  # what --wait-for-lock sets
    repo.stage.collect = lambda *_, **__: [stage]

    def use_loaded(command: Any, args: Any) -> None:
        command.repo, command.config, command.args = repo, repo.config, args

    CmdBase.__init__ = use_loaded


def _end_with_scheduler() -> None:
    """Kill this process and the stage that it runs when the scheduler was killed."""
    if scheduler := multiprocessing.parent_process():
        scheduler.join()
        os.killpg(0, signal.SIGKILL)
