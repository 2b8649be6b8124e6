"""Runs what has changed, independent stages side by side: ``python -m commands repro --jobs 2``.

The same as ``dvc repro`` to the last byte of ``dvc.lock``, but for the time it takes. A stage that
fails stops only what depends on it.
"""

import signal
import sys
import time

from commands.workspace.scheduling.pipeline import Pipeline
from commands.workspace.scheduling.schedule import Finished, Schedule

INTERRUPTED = 130  # the exit code that shells give a command stopped by Ctrl-C


def repro(targets: list[str], jobs: int) -> int:
    """Run the stages; return exit code 1 where one failed, 130 after an interrupt."""
    pipeline = Pipeline(targets)
    schedule = Schedule(
        pipeline.needs, jobs, pipeline.has_changed, pipeline.start, pipeline.efforts
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with pipeline.in_order():
        try:
            failed = run_schedule(schedule)
        except KeyboardInterrupt:
            stop_schedule(schedule, pipeline)
            return INTERRUPTED
    return 1 if failed else 0


def run_schedule(schedule: Schedule) -> list[str]:
    """Print a line for each stage as it is done, then a summary; return what failed."""
    began, reached, failed = time.monotonic(), set[str](), list[str]()
    for number, finished in enumerate(schedule.run(), 1):
        print(format_line(finished, number, len(schedule.needs)), flush=True)
        reached.add(finished.name)
        if finished.result == "FAILED":
            failed.append(finished.name)
            print(finished.output, file=sys.stderr, flush=True)
    skipped = [name for name in schedule.needs if name not in reached]
    print(format_summary(failed, skipped, time.monotonic() - began))
    return failed


def format_line(finished: Finished, number: int, total: int) -> str:
    seconds = f"{finished.seconds:7.1f} s" if finished.seconds else " " * 9
    return f"[{number:{len(str(total))}}/{total}] {seconds}  {finished.name}: {finished.result}"


def format_summary(failed: list[str], skipped: list[str], seconds: float) -> str:
    if not failed:
        return f"done in {seconds:.1f} s"
    parts = [f"failed: {', '.join(failed)}"]
    if skipped:
        parts.append(f"skipped, because they depend on that: {', '.join(skipped)}")
    return "\n".join(parts)


def stop_schedule(schedule: Schedule, pipeline: Pipeline) -> None:
    """End what runs, at a moment when nobody is writing ``dvc.lock``."""
    names = ", ".join(job.name for job in schedule.running)
    print(f"\ninterrupted; stopping {names or 'nothing'}", file=sys.stderr)
    with pipeline.at_rest():
        schedule.interrupt()
    schedule.end()
