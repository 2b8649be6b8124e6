"""Tries a model's arguments before anything is trained: each library knows best what it takes."""

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from stages.contract.types import Problem
from stages.shared.errors import PipelineError
from stages.shared.model import Model

ROWS, COLUMNS = 40, 30  # of the made-up table
SCALARS = (bool, int, float, type(None))
WORD = re.compile(r"[A-Za-z][\w:.-]*")  # others, as "(1,-1)", may be meant for certain columns


def try_arguments(
    model: Model, problem: Problem, suspects: Mapping[str, Any], where: str, classes: int = 2
) -> None:
    """Fit a model with its arguments on a few made-up rows, with one tree where it has trees.

    Raises PipelineError that names ``where``, and which of the ``suspects`` (those that the file
    sets) is refused, in the words of the library. Arguments that depend on the columns (lists,
    tables) are not tried.
    """
    reason = _find_refusal(model, problem, model.arguments, classes)
    if reason is None:
        return
    for name, value in suspects.items():
        alone = _find_refusal(model, problem, {name: value}, classes)
        if alone:
            raise PipelineError(f"{where}: {name} = {value!r}: {alone}")
    given = ", ".join(f"{name} = {value!r}" for name, value in suspects.items())
    raise PipelineError(f"{where}: {model.target[problem]} refuses {given}: {reason}")


def _find_refusal(
    model: Model, problem: Problem, arguments: Mapping[str, Any], classes: int
) -> str | None:
    """Return why the estimator refuses these arguments, or None where it does not."""
    estimator_class = model.estimator_class(problem)
    given = {name: value for name, value in arguments.items() if _suits_any_table(value)}
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(ROWS, COLUMNS)), np.arange(ROWS)
    with _silence_terminal(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator = estimator_class(**given, **model.extra)
            if hasattr(estimator, "_parameter_constraints"):
                estimator._validate_params()
            _shorten(estimator)
            estimator.fit(X, y % classes if problem == "classification" else y.astype(float))
        except Exception as error:  # noqa: BLE001 - each library raises kinds of its own
            return _tidy(str(error))
    return None


def _suits_any_table(value: Any) -> bool:
    return isinstance(value, SCALARS) or bool(isinstance(value, str) and WORD.fullmatch(value))


def _shorten(estimator: Any) -> None:
    """Let it grow one tree, in one thread; a number that is none stays, to be refused."""
    for name in ("n_estimators", "max_iter", "n_jobs"):
        number = estimator.get_params().get(name)
        if isinstance(number, int) and number > 1:
            estimator.set_params(**{name: 1})


def _tidy(message: str) -> str:
    """Return a library's message in one line, without its own source files and traces."""
    text = re.sub(r" at /\S+, line \d+ ?\.?", "", message.strip())
    text = re.split(r"\nStack trace|\n\n", re.sub(r"^\[[\d:]+\] \S+: ", "", text))[0]
    return " ".join(text.split()).rstrip(".")


@contextmanager
def _silence_terminal() -> Iterator[None]:
    """Keep off the terminal what a library writes there itself, past Python."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
