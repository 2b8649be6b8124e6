"""Counts false alarms of `validate` on published tables: ``python -m benchmarks.validation``.

Each table is accepted, then resampled with replacement; what is then found that is an error, or a
difference from the accepted table, is a false alarm.
"""

import argparse
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from stages.contract.source import Origin
from stages.fetching.archive import Gathering, gather
from stages.validating.checks import run_checks
from stages.validating.rules import Rule
from stages.validating.statistics import compute_statistics
from tests.support.validation_fixtures import prepare_table, read_shipped

DISTRIBUTION: set[Rule] = {"shift", "correlation", "row_count", "swapped", "flipped"}
HEART = ("cleveland", "hungarian", "switzerland", "va")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the tables")
    parser.add_argument("--resamples", type=int, default=1000)
    asked = parser.parse_args()
    print("| table | resamples | with an error | with a distribution warning | other rules told |")
    print("|---|--:|--:|--:|---|")
    others = [("housing", "published"), ("sentiment", "published")]
    for task, source in [*(("heart", it) for it in HEART), *others]:
        with tempfile.TemporaryDirectory() as folder:
            print(row(task, source, asked.data, asked.resamples, Path(folder)), flush=True)


def row(task: str, source: str, data: Path, resamples: int, folder: Path) -> str:
    """Return the table's line: how many of its resamples raise which kind of alarm."""
    origin = {**read_shipped(task)["sources"][source]}
    path = located(task, origin, data, folder)
    origin |= {"url": None, "sha256": None, "members": []}
    lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")  # U+0085 ends no line
    header = [] if origin.get("header") is False else [lines.pop(0)]
    accepted = compute_statistics(prepare_table(task, path, origin=origin))
    rng, errors, warned, others = np.random.default_rng(1), 0, 0, Counter[str]()
    for _ in range(resamples):
        table = folder / "resampled"
        table.write_text(resampled(header, lines, rng), encoding="utf-8")
        told = run_checks(prepare_table(task, table, accepted, origin=origin))
        errors += any(it.severity == "error" for it in told)
        warned += any(it.rule in DISTRIBUTION for it in told)
        others.update({it.rule for it in told} - DISTRIBUTION)
    rest = ", ".join(f"{rule} {count}" for rule, count in others.most_common())
    return f"| {task}, {source} | {resamples} | {errors} | {warned} | {rest} |"


def located(task: str, origin: dict[str, Any], data: Path, folder: Path) -> Path:
    """Return where the published table is; what is published in parts is joined in ``folder``."""
    name = Path(origin.pop("path")).name
    if not origin.get("members"):
        return data / task / name
    joined = Origin.parse({**origin, "path": str(folder / name)}, task)
    gather(Gathering(joined, task, f"conf/task/{task}.yaml", mirror=str(data)))
    return folder / name


def resampled(header: list[str], lines: list[str], rng: np.random.Generator) -> str:
    """Return lines drawn with replacement, in the order of the table."""
    places = np.sort(rng.integers(0, len(lines), len(lines)))
    return "\n".join([*header, *(lines[place] for place in places), ""])


if __name__ == "__main__":
    main()
