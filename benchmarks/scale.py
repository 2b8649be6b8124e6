"""Runs the pipeline on a census-like table: ``python -m benchmarks.scale 100000 1000000``.

For each number of rows a temporary clone gets one task of 15 columns (linear and LightGBM), and its
stages run one after the other as DVC would run them. Prints seconds and peak memory of each stage,
and how both grow with the rows.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from tests.support.clone import Clone, environment, make_clone

TASK = """\
title: Income above 50,000
sources: { sample: { path: data/raw/census.csv } }
target: { expression: income, classes: { low: low, high: high }, positive: high }
columns:
  age: { type: integer, unit: years, range: [17, 90] }
  weight: { type: number }
  education_years: { type: integer, range: [1, 16] }
  gain: { type: number, missing: allowed }
  loss: { type: number }
  hours: { type: integer, range: [1, 99] }
  score: { type: number, missing: allowed }
  distance: { type: number }
  workclass: { type: category, values: [a, b, c, d, e, f, g, h], missing: allowed }
  education: { type: category, values: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] }
  marital: { type: category, values: [a, b, c, d, e, f, g] }
  occupation: { type: category, values: [a, b, c, d, e, f, g, h, i, j, k, l, m, n] }
  relationship: { type: category, values: [a, b, c, d, e, f] }
  sex: { type: category, values: [a, b] }
  native: { type: boolean }
metric: roc_auc
models:
  linear:
  lightgbm: { learning_rate: 0.1, num_leaves: 31, min_child_samples: 20, n_estimators: 300 }
"""
STAGES = (
    "prepare census",
    "validate census",
    "train census linear",
    "train census lightgbm",
    "evaluate census linear lightgbm",
    "export census",
)
CATEGORIES = {
    "workclass": 8, "education": 16, "marital": 7, "occupation": 14, "relationship": 6, "sex": 2,
}  # fmt: skip


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [100_000, 1_000_000]
    runs = [measured(rows) for rows in sizes]
    for (small, before), (large, after) in zip(
        zip(sizes, runs, strict=True), zip(sizes[1:], runs[1:], strict=True), strict=False
    ):
        seconds = sum(s for s, _ in after) / sum(s for s, _ in before)
        memory = max(m for _, m in after) / max(m for _, m in before)
        print(
            f"{large / small:.0f} x the rows: {seconds:.1f} x the time, {memory:.1f} x the memory"
        )


def measured(rows: int) -> list[tuple[float, float]]:
    """Return seconds and peak GiB of each stage over a table of so many rows."""
    with tempfile.TemporaryDirectory() as folder:
        clone = make_clone(Path(folder))
        clone.write("conf/task/census.yaml", TASK)
        (clone.path / "data/raw").mkdir(parents=True, exist_ok=True)
        census(rows).to_csv(clone.path / "data/raw/census.csv", index=False)
        clone.compose()
        found = [one_stage(clone, stage) for stage in STAGES]
    for stage, (seconds, gib) in zip(STAGES, found, strict=True):
        print(f"{rows:>9,} rows  {stage:34} {seconds:7.1f} s  {gib:5.2f} GiB", flush=True)
    seconds, gib = sum(s for s, _ in found), max(m for _, m in found)
    print(f"{rows:>9,} rows  {'all':34} {seconds:7.1f} s  {gib:5.2f} GiB", flush=True)
    return found


def one_stage(clone: Clone, stage: str) -> tuple[float, float]:
    """Run one stage as its own process and return its wall time and peak resident memory."""
    verb, *words = stage.split()
    start = time.perf_counter()
    command = [sys.executable, "-m", f"stages.{verb}", *words]
    pid = os.fork()
    if pid == 0:
        os.chdir(clone.path)
        os.execve(sys.executable, command, environment())
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{stage} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 2**20


def census(rows: int) -> pd.DataFrame:
    """Simulate people: income follows age, education, hours and gains, with noise."""
    rng = np.random.default_rng(7)
    letters = np.array(list("abcdefghijklmnop"))
    table = pd.DataFrame(
        {
            "age": rng.integers(17, 91, rows),
            "weight": rng.lognormal(12, 0.5, rows).round(1),
            "education_years": rng.integers(1, 17, rows),
            "gain": rng.exponential(1000, rows).round(2),
            "loss": rng.exponential(100, rows).round(2),
            "hours": rng.integers(1, 100, rows),
            "score": rng.normal(0, 1, rows).round(4),
            "distance": rng.gamma(2, 5, rows).round(3),
            **{name: letters[rng.integers(0, k, rows)] for name, k in CATEGORIES.items()},
            "native": rng.random(rows) < 0.9,
        }
    )
    signal = table["education_years"] / 4 + table["hours"] / 30 + (table["gain"] > 2000) * 2
    signal += (
        -(((table["age"] - 50) / 20) ** 2) + (table["occupation"] < "e") + rng.logistic(size=rows)
    )
    table["income"] = np.where(signal > np.quantile(signal, 0.76), "high", "low")
    for name in ("gain", "score", "workclass"):
        table.loc[rng.random(rows) < 0.03, name] = None
    return table


if __name__ == "__main__":
    main()
