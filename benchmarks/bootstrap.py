"""Measures what intervals cost: ``python -m benchmarks.bootstrap``.

Prints the CPU time of all of a classifier's metrics with the shipped number of bootstrap samples,
over small and large test sets.
"""

import time

import numpy as np

from stages.evaluating.bootstrap import Bootstrap
from stages.evaluating.metrics import Rows, metrics_for

SAMPLES, RUNS = 1000, 5
SIZES = (60, 600, 6_000, 60_000)


def main() -> None:
    for size in SIZES:
        rows = simulate(size)
        bootstrap = Bootstrap.affordable(SAMPLES, size, 0.95, seed=1)
        seconds = min(measure(bootstrap, rows) for _ in range(RUNS))
        print(f"{size:6} rows, {bootstrap.samples} samples: {seconds:.3f} s CPU for all metrics")


def simulate(rows: int) -> Rows:
    """Return scores from two normal distributions 1.5 apart, as probabilities."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, rows)
    positive = 1 / (1 + np.exp(-rng.normal(1.5 * truth)))
    return Rows(truth, np.column_stack([1 - positive, positive]))


def measure(bootstrap: Bootstrap, rows: Rows) -> float:
    start = time.process_time()
    bootstrap.estimate(metrics_for("classification"), rows)
    return time.process_time() - start


if __name__ == "__main__":
    main()
