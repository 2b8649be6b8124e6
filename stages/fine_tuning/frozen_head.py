"""The encoder as it is: its vectors are computed once, and only a linear head is fitted."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from stages.fine_tuning.examples import Examples
from stages.shared.finetuned import compute_mean_logits

Array = np.ndarray[Any, np.dtype[Any]]
ROUNDS = 1000  # L-BFGS ends long before


def compute_vectors(module: Any, texts: Sequence[Sequence[Sequence[int]]], pad: int) -> Array:
    """Return each text's vector (n x width, float32): the mean of its pieces', of their tokens'."""
    head, module.head = module.head, torch.nn.Identity()
    try:
        return compute_mean_logits(module, texts, pad)
    finally:
        module.head = head


def fit_head(X: Array, rows: Examples, labels: int, C: float) -> tuple[Array, Array]:
    """Return weight (labels x width) and bias of a logistic regression on the vectors ``X``.

    Both are float32. ``C`` is the inverse strength of the L2 penalty.
    """
    model = LogisticRegression(C=C, max_iter=ROUNDS).fit(X, rows.y, sample_weight=rows.weights)
    weight, bias = model.coef_, model.intercept_
    if labels == 2:  # scikit-learn has the difference of the two only
        weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight.astype(np.float32), bias.astype(np.float32)
