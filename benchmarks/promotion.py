"""How often the promotion gate errs, and how much it finds: ``python -m benchmarks.promotion``.

A/A: two models equally good in truth, whose scores differ by chance alone. Gain: the challenger's
ROC AUC is 0.88 and the champion's 0.86, two points apart, on 2,000 rows.
"""

import sys
from collections import Counter

import numpy as np
from scipy.special import expit, ndtri

from commands.registry.comparison import Pair, compare, compare_worst_slice
from commands.registry.promotion_policy import combine_verdicts
from commands.registry.settings import Promotion
from stages.evaluating.metrics import Rows, find_metric
from stages.evaluating.slices import Slice

TERMS = Promotion(
    accept=("better",),
    confidence=0.97,
    slice_confidence=0.99,
    margin=0.01,
    resamples=1000,
    min_slice_rows=30,
)
SHARED = 0.8  # correlation of two models' scores within a class: lower than of real retrainings
SLICES = 20
MOST_SLICED = 500  # rows: small slices err most, and many large ones take an hour
METRICS = ("roc_auc", "accuracy")  # the first decides
CASES = (("A/A", 75, 0.86), ("A/A", 300, 0.86), ("A/A", 2000, 0.86), ("gain", 2000, 0.88))


def simulated(rng: np.random.Generator, rows: int, champion: float, challenger: float) -> Pair:
    """Draw binormal scores: each model's ROC AUC is its expected value, exactly."""
    truth = (rng.random(rows) < 0.5).astype(np.int64)
    shared = rng.normal(size=rows)
    pair = []
    for auc in (challenger, champion):
        own = rng.normal(size=rows)
        noise = np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own
        distance = np.sqrt(2) * ndtri(auc)
        probability = expit(distance * (noise + distance * (truth - 0.5)))  # Bayes: calibrated
        pair.append(Rows(truth, np.stack([1 - probability, probability], axis=1)))
    return Pair(*pair)


def sliced(rng: np.random.Generator, rows: int) -> list[Slice]:
    """Draw SLICES slices in groups of four, as the columns of a table make them."""
    parts = []
    for column in range(SLICES // 4):
        group = rng.integers(0, 4, rows)
        parts += [Slice(f"column {column}", str(k), group == k) for k in range(4)]
    return parts


def verdicts(rounds: int, rows: int, champion: float, challenger: float) -> dict[str, Counter[str]]:
    """Return how often each verdict came, by metric, for the worst slice and overall."""
    counts: dict[str, Counter[str]] = {}
    metrics = [find_metric(name, "classification", "benchmark") for name in METRICS]
    for seed in range(rounds):
        rng = np.random.default_rng([seed, rows])
        pair = simulated(rng, rows, champion, challenger)
        found = compare(pair, metrics, TERMS, seed)
        parts = sliced(rng, rows) if rows <= MOST_SLICED else []
        worst = compare_worst_slice(pair, parts, metrics[0], TERMS, seed)
        words = {name: it.verdict for name, it in found.items()}
        words["worst slice"] = worst.verdict if worst else "inconclusive"
        words["overall"] = combine_verdicts(found["roc_auc"], worst)
        for name, word in words.items():
            counts.setdefault(name, Counter())[word] += 1
    return counts


def main() -> None:
    """Print a table of shares; the argument is the number of pairs, 1,000 if left out."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print("| pairs | rows | verdict by | better | not worse | inconclusive | worse |")
    print("|---|--:|---|--:|--:|--:|--:|")
    for title, rows, challenger in CASES:
        for name, found in verdicts(rounds, rows, 0.86, challenger).items():
            words = ("better", "not worse", "inconclusive", "worse")
            shares = " | ".join(f"{100 * found[word] / rounds:.1f} %" for word in words)
            print(f"| {title} | {rows:,} | {name} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
