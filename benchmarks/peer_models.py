"""LightGBM and CatBoost at their defaults, with the columns as each of them likes best."""

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from stages.shared.features import encode_column
from stages.shared.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]
PEERS = ("LightGBM", "CatBoost")


def ask_peers(
    schema: Schema, known: pd.DataFrame, y: Array, test: pd.DataFrame
) -> Iterator[tuple[str, Array]]:
    """Yield each peer with its answers to the test rows, fitted on all of ``known``.

    Both take categories as such. Texts are left out, which neither reads by default.
    """
    words = [field.name for field in schema.fields if field.type == "category"]
    for name, model, read in (
        ("LightGBM", _make_lightgbm(schema), _read_as_categories),
        ("CatBoost", _make_catboost(schema, words), _read_as_words),
    ):
        model.fit(read(known, schema), y)
        cells = read(test, schema)
        yield (
            name,
            np.asarray(
                model.predict_proba(cells) if schema.labels else model.predict(cells).ravel()
            ),
        )


def _make_lightgbm(schema: Schema) -> Any:
    library = importlib.import_module("lightgbm")
    family = library.LGBMClassifier if schema.labels else library.LGBMRegressor
    return family(verbosity=-1, n_jobs=1, random_state=0)


def _make_catboost(schema: Schema, words: list[str]) -> Any:
    library = importlib.import_module("catboost")
    family = library.CatBoostClassifier if schema.labels else library.CatBoostRegressor
    quiet = {"verbose": 0, "allow_writing_files": False}
    return family(**quiet, thread_count=1, random_seed=0, cat_features=words)


def _read_as_categories(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    return _read_cells(frame, schema, lambda cells, values: pd.Categorical(cells, list(values)))


def _read_as_words(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    return _read_cells(
        frame, schema, lambda cells, _: cells.astype(object).where(cells.notna(), "missing")
    )


def _read_cells(frame: pd.DataFrame, schema: Schema, read: Any) -> pd.DataFrame:
    cells = {
        field.name: read(frame[field.name].reset_index(drop=True), field.values)
        if field.type == "category"
        else encode_column(frame[field.name], field)
        for field in schema.fields
        if field.type != "text"
    }
    return pd.DataFrame(cells)
