"""A search by Optuna that goes on where it was killed, and then finds the same.

Each trial draws from a generator of its own, seeded by how many went before: what is tried depends
on the finished trials only, not on how often the search was stopped.
"""

import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import WilcoxonPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, fail_stale_trials
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from stages.contract.tuning import Tuning
from stages.shared.errors import PipelineError
from stages.tuning.space import Range, Value, Values

SHARED = "TUNE_STORAGE"  # a database's URL: workers on several machines then share a study
HEARTBEAT, SILENCE = (
    30,
    120,
)  # seconds between a worker's signs of life, and until it counts as dead
P_VALUE = 0.1  # of the test by which a trial is given up
DIGITS = 3  # significant ones of a drawn number: more mean nothing and are hard to read

Scoring = Callable[[Values], Iterator[float]]


def open_study(folder: Path, name: str, direction: int) -> Study:
    """Open the study ``name``, or begin it, in a journal file or the database of TUNE_STORAGE.

    ``direction`` is above 0 where higher scores are better.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", ExperimentalWarning)  # the pruner; its version is pinned
    study = optuna.create_study(
        storage=_open_storage(folder),
        study_name=name,
        direction="maximize" if direction > 0 else "minimize",
        pruner=WilcoxonPruner(p_threshold=P_VALUE),
        load_if_exists=True,
    )
    _close_killed(study)
    return study


def search(
    study: Study, space: Mapping[str, Range], tuning: Tuning, score: Scoring
) -> tuple[FrozenTrial, ...]:
    """Run trials until ``tuning.trials`` are done; return the completed ones, the best first.

    A trial that fails counts as one, and what it failed by is kept. Raises PipelineError where all
    failed.
    """
    while (number := len(list_counted(study))) < tuning.trials:
        study.sampler = TPESampler(seed=_derive_seed(tuning.seed, number))
        _run_trial(study, study.ask(), space, score)
    done = [
        trial for trial in list_counted(study) if not {"given up", "error"} & set(trial.user_attrs)
    ]
    if not done:
        reasons = {trial.user_attrs["error"] for trial in list_counted(study)}
        raise PipelineError(f"no trial of {tuning.trials} came to an end: {'; '.join(reasons)}")
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    return tuple(sorted(done, key=lambda trial: (sign * float(trial.value or 0), trial.number)))


def list_counted(study: Study) -> list[FrozenTrial]:
    """Return the trials that are done: ended, given up, or failed by themselves (not killed)."""
    ended = TrialState.COMPLETE
    return [
        trial for trial in study.get_trials() if trial.state == ended or "error" in trial.user_attrs
    ]


def read_values(trial: FrozenTrial) -> Values:
    """Return the arguments that a trial really used."""
    return dict(trial.user_attrs["values"])


def _open_storage(folder: Path) -> BaseStorage:
    if url := os.environ.get(SHARED):
        try:
            return RDBStorage(url, heartbeat_interval=HEARTBEAT, grace_period=SILENCE)
        except (SQLAlchemyError, ImportError) as error:
            reason = getattr(error, "orig", error)  # says nothing of the URL, which has a password
            raise PipelineError(f"{SHARED} cannot be opened: {reason}") from None
    folder.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(folder / "journal.log")))


def _close_killed(study: Study) -> None:
    """End the trials that a killed process left; they do not count, and are drawn again."""
    if SHARED in os.environ:
        fail_stale_trials(study)  # by their signs of life: others may be at work
        return
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def _derive_seed(seed: int, number: int) -> int | None:
    """Workers that share a study must not draw the same; what they find depends on chance."""
    return None if SHARED in os.environ else seed + number


def _run_trial(study: Study, trial: Trial, space: Mapping[str, Range], score: Scoring) -> None:
    values = {name: _suggest(trial, name, range_) for name, range_ in space.items()}
    trial.set_user_attr("values", values)
    scores: list[float] = []
    try:
        for step, value in enumerate(score(values)):
            scores.append(_check_finite(value))
            trial.report(value, step)
            if trial.should_prune():
                trial.set_user_attr("given up", True)
                study.tell(trial, _estimate_mean(study, scores))
                return
    except Exception as error:  # noqa: BLE001 - whatever a library raises costs one trial only
        trial.set_user_attr("error", f"{type(error).__name__}: {error}"[:300])
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, sum(scores) / len(scores))


def _estimate_mean(study: Study, scores: list[float]) -> float:
    """Return the mean that a trial given up would have had, by how it did on the best's folds.

    The sampler learns from it, and from a mean of other folds it would learn something else.
    """
    best = study.best_trial
    gains = [score - best.intermediate_values[step] for step, score in enumerate(scores)]
    return float(best.value or 0) + sum(gains) / len(gains)


def _check_finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"the score of a fold is {value}")
    return value


def _suggest(trial: Trial, name: str, range_: Range) -> Value:
    low: Any = range_.low
    high: Any = range_.high
    drawn: Value
    if range_.choices:
        drawn = trial.suggest_categorical(name, range_.choices)
    elif isinstance(low, int) and isinstance(high, int):
        drawn = trial.suggest_int(name, low, high, log=range_.log)
    else:
        number = trial.suggest_float(name, low, high, log=range_.log)
        drawn = float(min(max(float(f"{number:.{DIGITS}g}"), low), high))
    return drawn
