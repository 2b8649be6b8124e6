"""Measures what is not the models' own work: ``python -m benchmarks.overhead``, after `make repro`.

Prints the CPU time of ``dvc repro`` with nothing to do against ``dvc status``, and of each stage's
imports, the part of its start that it pays before the first row is read.
"""

import os
import statistics
import subprocess
import sys

from stages.composing.checking import VERBS

RUNS = 7
HEAVY = ("torch", "transformers", "mlflow")


def main() -> None:
    pairs = [
        (cpu_seconds("dvc", "repro", "-q"), cpu_seconds("dvc", "status", "-q")) for _ in range(RUNS)
    ]
    repro, status = zip(*pairs, strict=True)
    ratio = statistics.median(a / b for a, b in zip(repro, status, strict=True))
    print(
        f"dvc repro, nothing to do: {statistics.median(repro):.2f} s CPU, {ratio:.2f} x dvc status"
    )
    for verb in VERBS:
        code = f"import sys, stages.{verb}; print(*sys.modules)"
        seconds = min(cpu_seconds(sys.executable, "-c", code) for _ in range(3))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        loaded = [name for name in HEAVY if name in done.stdout.split()]
        print(f"{verb:9} imports: {seconds:.2f} s CPU; heavy: {', '.join(loaded) or 'none'}")


def cpu_seconds(*command: str) -> float:
    """Return user and system time of a command and all that it started."""
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )


if __name__ == "__main__":
    main()
