"""Writes churn.csv, an invented table of customers: ``python docs/examples/churn.py``.

With ``--check`` it fails where the file differs from what it would write.
"""

import csv
import io
import math
import random
import sys
from pathlib import Path

FILE = Path(__file__).with_name("churn.csv")
ROWS, SEED = 600, 11
HEADER = ("customer_id", "age", "plan", "balance", "months", "tickets", "signed", "status")


def main() -> None:
    text = table()
    if "--check" not in sys.argv[1:]:
        FILE.write_text(text, encoding="utf-8", newline="")
    elif FILE.read_text(encoding="utf-8") != text:
        sys.exit(f"{FILE} is not what this script writes: run it without --check")


def table() -> str:
    """Return the table as CSV: who calls often, is new and pays little tends to leave."""
    rng = random.Random(SEED)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(customer(rng, number) for number in range(1, ROWS + 1))
    return file.getvalue()


def customer(rng: random.Random, number: int) -> tuple[object, ...]:
    age = min(90, max(18, round(rng.gauss(44, 14))))
    plan = rng.choices(["basic", "plus", "family"], [5, 3, 2])[0]
    months = min(120, int(rng.expovariate(1 / 24)))
    tickets = min(12, int(rng.expovariate(0.8 if plan == "basic" else 1.2)))
    balance = "" if rng.random() < 0.05 else round(rng.lognormvariate(4.5, 0.8), 2)
    signed = f"{2026 - (months + 6) // 12}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    score = 0.7 * tickets - months / 20 - (0.9 if plan == "family" else 0.0) - 0.3
    left = rng.random() < 1 / (1 + math.exp(-score))
    return (
        f"C{number:05}", age, plan, balance, months, tickets, signed,
        "closed" if left else "active",
    )  # fmt: skip


if __name__ == "__main__":
    main()
