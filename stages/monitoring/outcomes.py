"""Holds what came out against what was answered; without labels, estimates it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr

from stages.monitoring.columns import Array
from stages.monitoring.counts import rank_middle, tabulate_deviates
from stages.monitoring.findings import Estimate, Outcomes, Score
from stages.monitoring.harm import NORMAL, find_parts
from stages.monitoring.settings import OUTCOMES
from stages.monitoring.streams import bound_rate, find_alarm
from stages.monitoring.table import ANSWER, LABEL, LOSS, find_errors
from stages.shared.schema import TARGET, Schema

LARGE = 0.9  # quantile of the reference's errors above which one counts as large
DRAWS = 4000
FEWEST = 10  # labelled rows
DIGITS = 6


@dataclass(frozen=True)
class OutcomeFault:
    """Something that the truth shows, how likely a sound window is as bad, and at what level."""

    column: str | None
    found: str
    probability: float
    level: float


def judge_outcomes(
    reference: pd.DataFrame, window: pd.DataFrame, schema: Schema, budget: float, seed: int
) -> tuple[Outcomes, list[OutcomeFault]]:
    """Return what is known of the truth, and what is wrong with it."""
    if LOSS not in reference or not reference[LOSS].notna().any():
        return Outcomes(labelled=0, coverage=0.0), []
    labelled = window[window[LOSS].notna()] if LOSS in window else window.iloc[:0]
    known = Outcomes(
        labelled=len(labelled),
        coverage=round(len(labelled) / max(len(window), 1), DIGITS),
        expected_loss=expect_loss(reference, window),
        reference_loss=_round(float(reference[LOSS].mean())),
    )
    if len(labelled) < FEWEST:
        return known, []
    return _judge_labelled(reference, labelled, schema, budget * OUTCOMES, seed, known)


def _judge_labelled(
    reference: pd.DataFrame,
    labelled: pd.DataFrame,
    schema: Schema,
    level: float,
    seed: int,
    known: Outcomes,
) -> tuple[Outcomes, list[OutcomeFault]]:
    limit = None if schema.labels else float(reference[LOSS].quantile(LARGE))
    before, after = find_errors(reference, limit), find_errors(labelled, limit)
    allowed = bound_share(before)
    alarm = find_alarm(after, allowed, level / 2)
    faults = [_judge_loss(reference, labelled, level / 4, seed)]
    faults += _judge_prior(reference, labelled, schema, level / 4)
    if alarm:
        low, high = bound_rate(after, level / 2)
        found = f"errors {low:.1%} to {high:.1%}, at most {allowed:.1%} were: after {alarm} rows"
        faults.append(OutcomeFault(None, found, level / 2, level / 2))
    measured = {
        "scores": tuple(score_rows(reference, labelled, schema, seed)),
        "error_rate": tuple(round(end, DIGITS) for end in bound_rate(after, level / 2)),
        "allowed": round(allowed, DIGITS),
        "alarm_after": alarm,
    }
    return known.model_copy(update=measured), faults


def bound_share(errors: Array) -> float:
    """Return the largest share that the errors do not rule out (Wilson's, at 90 %)."""
    rows, share, z = len(errors), float(errors.mean()), 1.2816
    middle = share + z * z / (2 * rows)
    width = z * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return float((middle + width) / (1 + z * z / rows))


def _judge_loss(
    reference: pd.DataFrame, labelled: pd.DataFrame, level: float, seed: int
) -> OutcomeFault:
    """Hold the mean loss against means of as many of the reference's losses, drawn anew."""
    old, new = reference[LOSS].dropna().to_numpy(), labelled[LOSS].to_numpy()
    rng = np.random.default_rng([seed, 7])
    wobble = old.std() / np.sqrt(len(old))  # of the reference's own mean
    means = np.array([rng.choice(old, len(new)).mean() for _ in range(DRAWS)])
    means = means + wobble * rng.standard_normal(DRAWS)
    beyond = int((means >= new.mean()).sum())
    probability = (beyond + 1) / (DRAWS + 1)
    if not beyond:
        probability *= float(ndtr(-(new.mean() - old.mean()) / means.std()) / ndtr(-3.3))
    found = f"mean loss {new.mean():.4g}, {old.mean():.4g} in the reference"
    return OutcomeFault(None, found, float(np.clip(probability, 1e-12, 1)), level)


def _judge_prior(
    reference: pd.DataFrame, labelled: pd.DataFrame, schema: Schema, level: float
) -> list[OutcomeFault]:
    old, new = reference[TARGET].dropna(), labelled[TARGET]
    if not schema.labels:
        ranks = rank_middle(np.concatenate([old, new]))[len(old) :].mean()
        centre, total = (len(old) + len(new) + 1) / 2, len(old) + len(new) + 1
        z = (ranks - centre) / np.sqrt(len(old) * total / 12 / len(new))
        found = f"true values: median {new.median():.5g}, it was {old.median():.5g}"
        return [OutcomeFault(TARGET, found, float(2 * ndtr(-abs(z))), level)]
    return [
        OutcomeFault(
            TARGET,
            f"{label}: {(new == label).mean():.1%} of the true labels, it was "
            f"{(old == label).mean():.1%}",
            _compare_share(
                int((old == label).sum()), len(old), int((new == label).sum()), len(new)
            ),
            level / max(len(schema.labels) - schema.is_binary, 1),
        )
        for label in schema.labels[int(schema.is_binary) :]
    ]


def _compare_share(held: int, rows: int, count: int, window: int) -> float:
    return float(2 * ndtr(-abs(tabulate_deviates(held, rows, window)[count])))


def expect_loss(reference: pd.DataFrame, window: pd.DataFrame) -> Estimate | None:
    """Return the loss to be expected by the answers alone, if the model still is as good.

    Rows of the reference with such answers tell it. The interval is for the mean of the window.
    """
    name = next((n for n in reference if str(n).startswith(ANSWER) and n != LABEL), None)
    if name is None or name not in window:
        return None
    known = reference[reference[LOSS].notna()]
    old, new = find_parts(
        known[name].to_numpy(dtype=np.float64), window[name].to_numpy(dtype=np.float64)
    )
    losses, width = known[LOSS].to_numpy(), int(max(old.max(), new.max())) + 1
    before, after = np.bincount(old, minlength=width), np.bincount(new, minlength=width)
    held = before > 0
    if not after[held].sum():
        return None
    means = np.bincount(old, losses, minlength=width)[held] / before[held]
    squares = np.bincount(old, losses**2, minlength=width)[held] / before[held]
    q, rows = after[held] / after[held].sum(), after[held].sum()
    value = float((q * means).sum())
    error = float(np.sqrt((q * np.maximum(squares - means**2, 0)).sum() / rows))
    ends = (value, value - NORMAL * error, value + NORMAL * error)
    return Estimate(**dict(zip(("value", "low", "high"), map(_round, ends), strict=True)))


def score_rows(
    reference: pd.DataFrame, labelled: pd.DataFrame, schema: Schema, seed: int
) -> list[Score]:
    """Return each figure of the reference and of the window, with its bootstrap interval."""
    figures = ["log loss", "accuracy"] if schema.labels else ["rmse", "mae"]
    figures += ["roc_auc"] if schema.is_binary else []
    old = reference[reference[LOSS].notna()]
    rng = np.random.default_rng([seed, 8])
    picks = [rng.integers(0, len(labelled), len(labelled)) for _ in range(200)]
    found = []
    for name in figures:
        values = np.array([_score(name, labelled.iloc[rows], schema) for rows in picks])
        value = _score(name, labelled, schema)
        known = values[~np.isnan(values)]
        low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (value, value)
        estimate = Estimate(value=_round(value), low=_round(low), high=_round(high))
        before = _score(name, old, schema)
        found.append(
            Score(name=name, reference=_known(before), window=None if np.isnan(value) else estimate)
        )
    return found


def _score(name: str, table: pd.DataFrame, schema: Schema) -> float:
    losses = table[LOSS].to_numpy(dtype=np.float64)
    match name:
        case "log loss":
            return float(losses.mean())
        case "rmse":
            return float(np.sqrt(losses.mean()))
        case "mae":
            return float(np.sqrt(losses).mean())
        case "accuracy":
            return float((table[LABEL] == table[TARGET]).mean())
        case _:
            return _compute_auc(table, schema)


def _compute_auc(table: pd.DataFrame, schema: Schema) -> float:
    scores = table[f"{ANSWER}probability of {schema.labels[1]}"].to_numpy(dtype=np.float64)
    positive = (table[TARGET] == schema.labels[1]).to_numpy()
    ones = int(positive.sum())
    if not 0 < ones < len(table):
        return float("nan")
    ranks = rank_middle(scores)[positive].sum()
    return float((ranks - ones * (ones + 1) / 2) / (ones * (len(table) - ones)))


def _round(value: float) -> float:
    return float(f"{value:.6g}")


def _known(value: float) -> float | None:
    return None if np.isnan(value) else _round(value)
