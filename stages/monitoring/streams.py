"""Errors that trickle in, one after another: bounds that hold however often one looks.

An e-process bets against "no more errors than before". Before drift its wealth exceeds 1 / alpha
with a probability of at most alpha, ever (Ville's inequality); so one may look after every row.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import betaln

from stages.monitoring.columns import Array

RATIOS = (1.5, 2.0, 1.25)  # of the odds of an error: the alternatives that are bet on ...
WEIGHTS = (0.6, 0.2, 0.2)  # ... and the share of the stake on each
STEPS = 60  # of a bisection


def follow_wealth(errors: Array, rate: float) -> Array:
    """Return the wealth after each row, starting from 1; ``errors`` are 0 or 1.

    ``rate`` is the largest share of errors that is no alarm.
    """
    return np.asarray(np.exp(np.logaddexp.reduce(_follow_bets(errors, rate), axis=0)))


def _follow_bets(errors: Array, rate: float) -> list[Array]:
    """Return the logarithm of each bet's wealth: likelihood ratios of a higher rate to ``rate``."""
    bounded = float(np.clip(rate, 1e-6, 1 - 1e-6))
    found = []
    for ratio, weight in zip(RATIOS, WEIGHTS, strict=True):
        odds = ratio * bounded / (1 - bounded)
        higher = odds / (1 + odds)
        gains = np.where(errors > 0, np.log(higher / bounded), np.log((1 - higher) / (1 - bounded)))
        found.append(np.log(weight) + np.cumsum(gains))
    return found


def find_alarm(errors: Array, rate: float, alpha: float) -> int | None:
    """Return the number of rows after which the wealth first exceeds 1 / alpha, if it does."""
    above = np.flatnonzero(follow_wealth(errors, rate) > 1 / alpha)
    return int(above[0]) + 1 if len(above) else None


def bound_rate(errors: Sequence[int] | Array, alpha: float) -> tuple[float, float]:
    """Return an interval that holds the true rate at all times, with probability 1 - alpha.

    The rates that a mixture over all alternatives (Beta(1, 1)) does not refute.
    """
    found = np.asarray(errors, dtype=np.float64)
    rows, wrong = len(found), float(found.sum())
    if not rows:
        return 0.0, 1.0
    mixture = betaln(wrong + 1, rows - wrong + 1)

    def is_refuted(rate: float) -> bool:
        log = wrong * np.log(rate) + (rows - wrong) * np.log1p(-rate)
        return bool(mixture - log > -np.log(alpha))

    share = min(max(wrong / rows, 1e-9), 1 - 1e-9)
    return _find_end(is_refuted, 1e-12, share), _find_end(is_refuted, 1 - 1e-12, share)


def _find_end(is_refuted: Callable[[float], bool], outside: float, inside: float) -> float:
    """Return by bisection where rates begin to be refuted."""
    for _ in range(STEPS):
        middle = (outside + inside) / 2
        if is_refuted(middle):
            outside = middle
        else:
            inside = middle
    return inside
