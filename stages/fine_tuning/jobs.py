"""What there is to fit: a network for each fold, then the one to keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from stages.contract.cross_validation import CrossValidation
from stages.fine_tuning.calibration import fit_temperature
from stages.fine_tuning.checkpoints import State
from stages.fine_tuning.examples import Examples
from stages.shared.curves import Curve
from stages.shared.errors import PipelineError
from stages.shared.folds import hold_out, make_folds, take_groups
from stages.shared.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Job:
    """Fit on rows ``fitted``, look at ``watched``, predict ``held`` if any.

    What is watched stops and calibrates the fit where rows are held out for that; where none are,
    it is what is predicted anyway, and changes nothing.
    """

    name: str
    fitted: Array
    watched: Array
    held: Array


def make_fold_jobs(
    schema: Schema, y: Array, cv: CrossValidation, groups: Array | None, held_out: float | None
) -> list[Job]:
    """Return a job for each fold of each repeat: the folds that every candidate is scored on.

    The rows that stop a fit are held out of the fold's own, so that a cross-validated score never
    sees the fold it is computed on. Rows of one of the ``groups`` are in one part only.
    """
    jobs = []
    for repeat in range(cv.repeats):
        for number, (fitted, held) in enumerate(make_folds(schema, y, cv, repeat, groups)):
            learnt, watched = fitted, held
            if held_out:
                known = y[fitted], take_groups(groups, fitted)
                learnt, watched = _hold_out(fitted, *known, held_out, cv.seed + repeat)
            jobs.append(Job(f"fold-{repeat}-{number}", learnt, watched, held))
    return jobs


def make_final_job(train: int, validation: int, held_out: float | None) -> Job:
    """Return the job for the model to keep.

    It is fitted on all rows, or where some shall stop it, on the train rows, with validation's.
    """
    rows = np.arange(train + validation)
    fitted = train if held_out else train + validation
    return Job("final", rows[:fitted], rows[fitted:], rows[:0])


def join_out_of_fold(
    jobs: Sequence[Job], results: Sequence[Mapping[str, Any]], repeats: int
) -> pd.DataFrame:
    """Return the predictions of all rows, in `train`'s form: ``repeat``, ``fold``, ``p_0`` …

    ``results`` hold each job's ``logits`` (held rows x classes) and ``temperature``.
    """
    each = len(jobs) // repeats
    parts = []
    for repeat in range(repeats):
        chosen = slice(repeat * each, (repeat + 1) * each)
        rows = np.concatenate([job.held for job in jobs[chosen]])
        shares = [_compute_probabilities(**result) for result in results[chosen]]
        numbers = np.repeat(np.arange(each), [len(job.held) for job in jobs[chosen]])
        part = pd.DataFrame(np.concatenate(shares)).add_prefix("p_")
        part.insert(0, "repeat", repeat)
        part.insert(1, "fold", numbers)
        parts.append(part.iloc[np.argsort(rows)])
    return pd.concat(parts, ignore_index=True)


def calibrate_results(
    jobs: Sequence[Job], results: Sequence[State], examples: Examples, repeats: int
) -> list[State]:
    """Give each network a temperature where no rows were held out to find it by.

    A fold's is the one that suits the answers of the repeat's other folds best, so that its rows
    have no say in it; the last network's suits those of all folds.
    """
    *folds, final = results
    each = len(folds) // repeats
    answers = [
        _collect_logits(job, result, examples) for job, result in zip(jobs[:-1], folds, strict=True)
    ]
    found = []
    for number, result in enumerate(folds):
        first = number // each * each
        others = answers[first:number] + answers[number + 1 : first + each]
        found.append({**result, "temperature": _fit_temperature(others)})
    return [*found, {**final, "temperature": _fit_temperature(answers)}]


def average_curves(curves: Sequence[Sequence[Sequence[float]]]) -> Curve:
    """Return the mean over curves of as many points: steps and two losses."""
    means = np.mean([list(curve) for curve in curves], axis=0)
    return [(round(step), fitted, watched) for step, fitted, watched in means.tolist()]


def _collect_logits(job: Job, result: State, examples: Examples) -> tuple[Array, Array, Array]:
    """Return a fold's logits of the rows it held, their classes and their weights."""
    rows = job.held
    return np.asarray(result["logits"]), examples.y[rows], examples.weights[rows]


def _fit_temperature(parts: list[tuple[Array, Array, Array]]) -> float:
    logits, y, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return fit_temperature(logits, y, weights)


def _compute_probabilities(logits: Any, temperature: float, **_: Any) -> Array:
    return np.asarray(softmax(np.asarray(logits, np.float64) / temperature, axis=1))


def _hold_out(
    rows: Array, y: Array, groups: Array | None, held_out: float, seed: int
) -> tuple[Array, Array]:
    try:
        fitted, watched = hold_out(y, held_out, seed, True, groups)
    except ValueError as error:
        raise PipelineError(
            f"validation_fraction = {held_out} of {len(rows)} rows: {error}: raise it in "
            "conf/encoder or bring more rows"
        ) from error
    return rows[fitted], rows[watched]
