"""Simulated tables with every column type, models fitted on them, and a task ready to export."""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
import importlib.metadata
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from ruamel.yaml import YAML
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier, XGBRegressor

from stages import evaluate
from stages.runner import declare
from stages.shared.features import Featurizer, encode, encode_target
from stages.shared.predicting import predict
from stages.shared.schema import ROW, TARGET, Derived, Field, Schema
from stages.shared.storage import atomic, write_frame, write_json
from tests.support.evaluate_fixtures import SETTINGS

Array = np.ndarray[Any, Any]
COLUMNS: dict[str, dict[str, Any]] = {
    "dose": {"type": "number", "unit": "mg|day", "range": [-1e9, 1e9], "missing": "allowed"},
    "weight <kg>": {"type": "number", "description": "as *measured*\nor told"},
    "count": {"type": "integer", "range": [0, 9], "missing": "allowed"},
    "group": {"type": "category", "values": ["a", "b's", "<c>|"], "missing": "allowed"},
    "grade": {"type": "category", "values": [3, 6, 7]},
    "treated": {"type": "boolean", "missing": "allowed"},
    "seen_on": {"type": "datetime", "missing": "allowed"},
}
FORMULAS = {
    "rate": "dose / count",  # divides by zero in some rows
    "root": "sqrt(dose)",  # of negative numbers in others
    "mixed": "2 * abs(dose) - -count + col('weight <kg>') / 3",
}
LABELS = {
    "binary": ("healthy", "ill"),
    "several": ("low", "middle", "high"),
    "regression": (),
}
KINDS = tuple(LABELS)
FAMILIES = (
    "linear",
    "forest",
    "extra_trees",
    "histogram",
    "xgboost",
    "xgboost_stopped",
    "lightgbm",
    "lightgbm_stopped",
)


def make_schema(kind: str) -> Schema:
    labels = LABELS[kind]
    return Schema(
        problem="classification" if labels else "regression",
        fields=tuple(
            Field(name=name, type=column["type"], values=tuple(map(str, column.get("values", ()))))
            for name, column in COLUMNS.items()
        ),
        derived=tuple(Derived(name=name, expression=e) for name, e in FORMULAS.items()),
        labels=labels,
        positive="ill" if kind == "binary" else None,
    )


def make_frame(kind: str, rows: int, seed: int, first: int = 1) -> pd.DataFrame:
    """Simulate rows; about one value in ten is missing, some categories are not declared."""
    rng = np.random.default_rng(seed)
    dose, treated = rng.normal(size=rows), rng.random(rows) < 0.5
    level = 2 * dose - treated + 0.5 * rng.logistic(size=rows)
    frame = pd.DataFrame(
        {
            "dose": dose,
            "weight <kg>": rng.gamma(40, 2, rows),
            "count": pd.array(rng.integers(0, 5, rows), dtype="Int64"),
            "group": pd.array(rng.choice(["a", "b's", "<c>|", "d"], rows), dtype="str"),
            "grade": pd.array(rng.choice(["3", "6", "7"], rows), dtype="str"),
            "treated": pd.array(treated, dtype="boolean"),
            "seen_on": np.datetime64("2020-01-01", "us") + rng.integers(0, 8 * 10**13, rows),
        }
    )
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    frame.insert(0, ROW, np.arange(first, first + rows))
    frame[TARGET] = _target(kind, level)
    return frame


def _target(kind: str, level: Array) -> Any:
    if kind == "regression":
        return 200_000 + 30_000 * level
    cuts = [0.0] if kind == "binary" else [-1.0, 1.0]
    return np.array(LABELS[kind], dtype=object)[np.searchsorted(cuts, level)]


def make_estimator(family: str, kind: str) -> Any:
    values = kind == "regression"
    trees = {"n_estimators": 30, "min_samples_leaf": 3, "random_state": 1, "n_jobs": 1}
    boosted: dict[str, Any] = {
        "n_estimators": 120,
        "learning_rate": 0.2,
        "random_state": 1,
        "n_jobs": 1,
    }
    match family:
        case "linear":
            return Ridge() if values else LogisticRegression(max_iter=500)
        case "forest":
            return (RandomForestRegressor if values else RandomForestClassifier)(**trees)
        case "extra_trees":
            return (ExtraTreesRegressor if values else ExtraTreesClassifier)(**trees)
        case "histogram":
            boosting = HistGradientBoostingRegressor if values else HistGradientBoostingClassifier
            return boosting(max_iter=12, random_state=1)
        case "xgboost" | "xgboost_stopped":
            patience = 5 if family.endswith("stopped") else None
            boosting = XGBRegressor if values else XGBClassifier
            return boosting(early_stopping_rounds=patience, **boosted)
        case "lightgbm" | "lightgbm_stopped":
            patience = 5 if family.endswith("stopped") else None
            boosting = LGBMRegressor if values else LGBMClassifier
            return boosting(early_stopping_round=patience, verbosity=-1, **boosted)
    raise ValueError(family)


def make_pipeline(family: str, kind: str, frame: pd.DataFrame) -> Pipeline:
    """Fit a family; one that stops early holds the last third of the rows out for it."""
    schema = make_schema(kind)
    X, y = encode(frame, schema), encode_target(frame, schema)
    features = Featurizer(schema, scale=family == "linear").fit(X)
    estimator, made = make_estimator(family, kind), features.transform(X)
    if family.endswith("stopped"):
        fitted = 2 * len(frame) // 3
        held_out = [(made[fitted:], y[fitted:])]
        quiet = {"verbose": False} if family.startswith("xgboost") else {}
        estimator.fit(made[:fitted], y[:fitted], eval_set=held_out, **quiet)
    else:
        estimator.fit(made, y)
    return Pipeline([("features", features), ("estimator", estimator)])


def build_fixture(root: Path, kind: str = "binary", family: str = "linear", rows: int = 90) -> None:
    """Leave a task ``demo`` in ``root`` as all stages before the export do, evaluated for real."""
    schema, prepared = make_schema(kind), root / "data/prepared/demo"
    parts = {"train": 2 * rows, "validation": rows, "test": rows}
    frames = {
        name: make_frame(kind, count, seed, first=1 + 1000 * seed)
        for seed, (name, count) in enumerate(parts.items())
    }
    for name, frame in frames.items():
        write_frame(prepared / f"{name}.parquet", frame)
    write_json(prepared / "schema.json", schema.model_dump(mode="json"))
    _write_params(root, kind)
    _write_candidate(root, family, kind, pd.concat([frames["train"], frames["validation"]]))


def evaluate_fixture(family: str = "linear") -> None:
    """Run the real evaluation in the working directory."""
    declare.read_params.cache_clear()
    evaluate.main("demo", family)


def _write_params(root: Path, kind: str) -> None:
    labels = list(LABELS[kind])
    classes = {"classes": {str(i): label for i, label in enumerate(labels)}} if labels else {}
    positive = {"positive": "ill"} if kind == "binary" else {}
    task = {
        "title": "A *demo* | of <all>",
        "metric": "roc_auc" if labels else "rmse",
        "class_weight": None,
        "origin": {"path": "data/demo.csv", "missing_in": {"dose": ["-9"]}},
        "columns": COLUMNS,
        "target": {
            "expression": "outcome",
            "unit": None if labels else "USD",
            **classes,
            **positive,
        },
    }
    settings = {**SETTINGS, "resamples": 20, "permutations": 1}
    content = {"task": {"demo": task}, "evaluation": settings, "export": {"tolerance": 1e-6}}
    with (root / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(content, file)


def _write_candidate(root: Path, family: str, kind: str, known: pd.DataFrame) -> None:
    folder = root / "data/candidates/demo" / family
    schema = make_schema(kind)
    tables = []
    for fold, (fitted, held) in enumerate(KFold(3, shuffle=True, random_state=1).split(known)):
        pipeline = make_pipeline(family, kind, known.iloc[fitted])
        found = predict(pipeline, encode(known.iloc[held], schema), schema)
        names = [f"p_{i}" for i in range(len(schema.labels))] or ["value"]
        table = pd.DataFrame(found.reshape(len(held), -1), columns=names)
        table.insert(0, "repeat", 0)
        table.insert(1, "fold", fold)
        table.insert(2, ROW, known[ROW].to_numpy()[held])
        tables.append(table)
    pipeline = make_pipeline(family, kind, known)
    estimator = pipeline["estimator"]
    candidate = {
        "model": family,
        "complexity": 1,
        "target": f"{type(estimator).__module__}.{type(estimator).__name__}",
        "rounds": None,
        "rows": len(known),
        "features": int(estimator.n_features_in_),
        "libraries": {"scikit-learn": importlib.metadata.version("scikit-learn")},
        "code": "c" * 64,
        "params": "d" * 64,
    }
    write_frame(folder / "out_of_fold.parquet", pd.concat(tables, ignore_index=True))
    write_json(folder / "candidate.json", candidate)
    with atomic(folder / "model.joblib") as file:
        joblib.dump(pipeline, file)
