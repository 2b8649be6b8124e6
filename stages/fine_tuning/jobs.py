"""What there is to fit: a network for each fold, then the one to keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from stages.core.contract import CrossValidation
from stages.core.errors import PipelineError
from stages.shared.folds import folds, hold_out, of_rows
from stages.shared.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Job:
    """Fit on rows ``fitted``, stop and calibrate by ``watched``, predict ``held`` if any."""

    name: str
    fitted: Array
    watched: Array
    held: Array


def fold_jobs(
    schema: Schema, y: Array, cv: CrossValidation, groups: Array | None, held_out: float
) -> list[Job]:
    """Return a job for each fold of each repeat: the folds that every candidate is scored on.

    The rows that stop a fit are held out of the fold's own, so that a cross-validated score never
    sees the fold it is computed on. Rows of one of the ``groups`` are in one part only.
    """
    return [
        Job(
            f"fold-{repeat}-{number}",
            *_parted(fitted, y[fitted], held_out, cv.seed + repeat, of_rows(groups, fitted)),
            held,
        )
        for repeat in range(cv.repeats)
        for number, (fitted, held) in enumerate(folds(schema, y, cv, repeat, groups))
    ]


def final_job(train: int, validation: int) -> Job:
    """Return the job for the model to keep: fitted on the train rows, watched on validation's."""
    rows = np.arange(train + validation)
    return Job("final", rows[:train], rows[train:], rows[:0])


def out_of_fold(
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
        shares = [_shares(**result) for result in results[chosen]]
        numbers = np.repeat(np.arange(each), [len(job.held) for job in jobs[chosen]])
        part = pd.DataFrame(np.concatenate(shares)).add_prefix("p_")
        part.insert(0, "repeat", repeat)
        part.insert(1, "fold", numbers)
        parts.append(part.iloc[np.argsort(rows)])
    return pd.concat(parts, ignore_index=True)


def _shares(logits: Any, temperature: float, **_: Any) -> Array:
    return np.asarray(softmax(np.asarray(logits, np.float64) / temperature, axis=1))


def _parted(
    rows: Array, y: Array, held_out: float, seed: int, groups: Array | None
) -> tuple[Array, Array]:
    try:
        fitted, watched = hold_out(y, held_out, seed, True, groups)
    except ValueError as error:
        raise PipelineError(
            f"held_out = {held_out} of {len(rows)} rows: {error}: raise it in conf/encoder or "
            "bring more rows"
        ) from error
    return rows[fitted], rows[watched]
