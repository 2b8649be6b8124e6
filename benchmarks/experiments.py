"""What DVC's queue costs beside the training itself: ``python -m benchmarks.experiments``.

Eight queued experiments, two side by side, each train heart's linear model with another C; the same
eight trainings in one process are the measure. Linux only: it adopts the queue's daemons, so that
their CPU time is counted.
"""

import ctypes
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.clone import Clone, commit, make_clone

VALUES = (0.01, 0.02, 0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
TARGET = "train@heart-linear"
PR_SET_CHILD_SUBREAPER = 36
BARE = """
from pathlib import Path
from stages import train
from stages.runner.declare import read_params
text = Path("params.yaml").read_text()
for value in ({values}):
    Path("params.yaml").write_text(text.replace("C: 0.1\\n", f"C: {{value}}\\n", 1))
    read_params.cache_clear()
    train.main("heart", "linear")
Path("params.yaml").write_text(text)
"""


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clone = make_clone(Path(folder, "clone"))
        clone.run("dvc", "repro", TARGET)
        commit(clone, "dvc.lock")
        code = BARE.format(values=", ".join(map(str, VALUES)))
        bare = measured("eight trainings in one process", lambda: run(clone, "-c", code))
        train = measured("train as a stage", lambda: run(clone, "-m", "stages.train", *WORDS))
        check = measured(
            "compose as a stage", lambda: run(clone, "-m", "commands", "compose", "--check")
        )
        queue = measured("queue eight", lambda: queued(clone))
        ran = measured("run eight, two side by side", lambda: all_run(clone))
    seconds = ran[0] + queue[0]
    own = (ran[1] + queue[1]) / len(VALUES) - train[1] - check[1]
    print(f"queued: {seconds / bare[0]:.1f} times as long as in one process")
    print(f"DVC's own CPU time for each experiment: {own:.1f} s")


WORDS = ("heart", "linear")


def measured(what: str, work: Callable[[], None]) -> tuple[float, float]:
    """Return wall-clock and CPU seconds of the processes that ``work`` starts, daemons included."""
    before, began = os.times(), time.monotonic()
    work()
    seconds = time.monotonic() - began
    adopted_end()
    after = os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    print(f"{what}: {seconds:.1f} s, {cpu:.1f} s CPU", flush=True)
    return seconds, cpu


def adopted_end() -> None:
    """Wait for every process that is left over, which adds its CPU time to ours."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def run(clone: Clone, *words: str) -> None:
    clone.run(sys.executable, *words)


def queued(clone: Clone) -> None:
    values = ",".join(map(str, VALUES))
    clone.run("dvc", "exp", "run", "--queue", "-S", f"task.heart.models.linear.C={values}", TARGET)


def all_run(clone: Clone) -> None:
    printed = clone.run("dvc", "exp", "run", "--run-all", "--jobs", "2").stdout
    found = len(re.findall(r"^Running stage 'train@heart-linear'", printed, re.M))
    if found != len(VALUES):
        sys.exit(f"{found} of {len(VALUES)} experiments trained:\n{printed}")


if __name__ == "__main__":
    main()
