"""Takes spoilt tables from draft to validate: ``python -m benchmarks.odd_tables 6000``.

Each has to pass or be refused with a reason; any other exception ends the run with its seed. Made
from generated tables, and from the published ones where these are at hand.
"""

import csv
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.support.clone import ROOT
from tests.support.drafted_tables import make_repository, run_table
from tests.support.table_fuzzing import Rows, make_table, spoil

PUBLISHED = {"housing/housing.csv": "median_house_value", "forecast/day.csv": "cnt"}
ROWS = 300  # of a published table


def main(count: int, seed: int) -> None:
    """Print how many tables came how far, and the most frequent reasons."""
    published = list(read_published(ROOT.parent / "shared/data"))
    steps, began = Counter[str](), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        make_repository(Path(folder))
        os.chdir(folder)
        for number in range(seed, seed + count):
            steps[try_table(number, published)] += 1
    for step, times in steps.most_common():
        print(f"{times:6,}  {step}")
    print(f"{count:,} tables without a traceback, {time.process_time() - began:.0f} s CPU")


def read_published(folder: Path) -> list[tuple[Rows, str]]:
    """Return the first rows of the published tables that are here."""
    found = []
    for name, target in PUBLISHED.items():
        if (folder / name).exists():
            with (folder / name).open(newline="", encoding="utf-8") as file:
                found.append(
                    ([row for row, _ in zip(csv.reader(file), range(ROWS), strict=False)], target)
                )
    return found


def try_table(number: int, published: list[tuple[Rows, str]]) -> str:
    """Return how far the table of this number came."""
    rng = random.Random(number)
    rows, target = rng.choice(published) if published and number % 4 == 0 else make_table(rng)
    content = spoil([list(row) for row in rows], rng)
    path = Path("table.csv")
    path.write_bytes(content)
    try:
        outcome = run_table(path, target)
    except Exception:
        print(f"table {number}: {content[:2000]!r}", file=sys.stderr)
        raise
    return f"{outcome.step}: {'refused' if outcome.refusal else 'passed'}"


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 6000,
        int(sys.argv[2]) if len(sys.argv) > 2 else 0,
    )
