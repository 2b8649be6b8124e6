"""Flags columns that alone tell the target: more often a leak than luck."""

from typing import Any

import numpy as np
import pandas as pd

from stages.preparing.casting import as_tokens, to_numbers

SURE = 0.99  # of what is to be known of the target
ROWS = 20_000  # looked at
PARTS = 5
LEAVES = 32

Array = np.ndarray[Any, np.dtype[Any]]


def telling(cells: pd.Series, target: pd.Series, is_classification: bool, decimal: str) -> float:
    """Return how much of the target this column alone foretells, from 0 (nothing) to 1 (all).

    For classes the balanced accuracy of a small tree, put on a scale where guessing is 0; for
    numbers the R² of one; both over rows that the tree was not fitted on.
    """
    from sklearn.model_selection import cross_val_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    known = (cells.notna() & target.notna()).to_numpy()
    if known.sum() < 10 * PARTS:
        return 0.0
    chosen = np.flatnonzero(known)
    chosen = np.random.default_rng(0).permutation(chosen)[:ROWS]
    X, y = _numbers(cells.iloc[chosen], decimal), target.iloc[chosen]
    tree = DecisionTreeClassifier if is_classification else DecisionTreeRegressor
    model = tree(max_leaf_nodes=LEAVES, min_samples_leaf=3, random_state=0)
    if not is_classification:
        return float(np.mean(cross_val_score(model, X, to_numbers(y, decimal), cv=PARTS)))
    codes, classes = pd.factorize(as_tokens(y))
    if np.bincount(codes).min() < PARTS:
        return 0.0
    score = np.mean(cross_val_score(model, X, codes, cv=PARTS, scoring="balanced_accuracy"))
    return float((score - 1 / len(classes)) / (1 - 1 / len(classes)))


def _numbers(cells: pd.Series, decimal: str) -> Array:
    """Return numbers as they are, words as numbers in the order of their first appearance."""
    numbers = to_numbers(cells, decimal)
    if numbers.notna().all():
        return numbers.to_numpy().reshape(-1, 1)
    return pd.factorize(as_tokens(cells))[0].reshape(-1, 1)
