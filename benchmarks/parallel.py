"""Stages side by side against one after another: ``python -m benchmarks.parallel [ROUNDS]``.

First ROUNDS (50) small pipelines made at random: ``dvc.lock`` has to be that of ``dvc repro``, byte
for byte. Then this repository's pipeline, cold, both ways in turn, and the longest chain of its
stages: no number of processes can finish before that.
"""

import os
import re
import sys
import tempfile
import time
from graphlib import TopologicalSorter
from pathlib import Path

from commands.workspace.scheduling.pipeline import Pipeline
from tests.support.clone import Clone, make_clone
from tests.support.made_pipeline import locks, make_pipeline

JOBS = 2
LINE = re.compile(r"^\[ *\d+/\d+\] +([\d.]+) s  (\S+): ran$", re.M)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as folder:
        stress(Path(folder), rounds)
        compare(make_clone(Path(folder, "serial")), make_clone(Path(folder, "parallel")))


def stress(folder: Path, rounds: int) -> None:
    pairs = (
        locks(make_pipeline(folder / f"{i}", seed=i, stages=12), jobs=4) for i in range(rounds)
    )
    different = sum(side_by_side != serial for side_by_side, serial in pairs)
    print(f"{rounds} random pipelines of 12 stages, 4 side by side: {different} differ", flush=True)


def compare(serial: Clone, parallel: Clone) -> None:
    once, _ = measured(serial, "dvc", "repro")
    command = (sys.executable, "-m", "commands", "repro", "--jobs")
    one, printed = measured(parallel, *command, "1")
    same = serial.read("dvc.lock") == parallel.read("dvc.lock")
    chain, names = critical_path({name: float(s) for s, name in LINE.findall(printed)})
    other = make_clone(parallel.path.with_name("again"))
    both, _ = measured(other, *command, f"{JOBS}")
    same = same and serial.read("dvc.lock") == other.read("dvc.lock")
    print(f"cold: dvc repro {once:.1f} s; --jobs 1 {one:.1f} s; --jobs {JOBS} {both:.1f} s")
    print(f"{once / both:.2f} times as fast; the same dvc.lock: {same}")
    print(f"longest chain, each stage alone: {chain:.1f} s: {' → '.join(names)}")


def measured(clone: Clone, *command: str) -> tuple[float, str]:
    """Return the wall-clock seconds, and print the CPU time beside them."""
    (clone.path / "dvc.lock").unlink()
    before, began = os.times(), time.monotonic()
    printed = clone.run(*command).stdout
    seconds, after = time.monotonic() - began, os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    print(f"{' '.join(command[-4:])}: {seconds:.1f} s, {cpu:.1f} s CPU", flush=True)
    return seconds, printed


def critical_path(seconds: dict[str, float]) -> tuple[float, list[str]]:
    """Return the longest chain of stages that need one another, by their own times."""
    needs = Pipeline([]).needs
    longest: dict[str, tuple[float, list[str]]] = {}
    for name in TopologicalSorter(needs).static_order():
        before = max((longest[it] for it in needs[name]), default=(0.0, []))
        longest[name] = (before[0] + seconds.get(name, 0.0), [*before[1], name])
    return max(longest.values())


if __name__ == "__main__":
    main()
