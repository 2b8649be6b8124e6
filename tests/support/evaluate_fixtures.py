"""A small simulated task with trained candidates, laid out as `prepare` and `train` leave it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from ruamel.yaml import YAML
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline

from stages.shared.features import Featurizer, encode, encode_target
from stages.shared.schema import ROW, TARGET, Field, Schema
from stages.shared.storage import atomic, write_frame, write_json

FIELDS = (
    Field(name="dose", type="number"),
    Field(name="noise", type="number"),
    Field(name="count", type="integer"),
    Field(name="group", type="category", values=("a", "b", "<c>|")),
    Field(name="treated", type="boolean"),
    Field(name="seen_on", type="datetime"),
)
SETTINGS = {
    "seed": 42,
    "resamples": 60,
    "confidence": 0.95,
    "bins": 10,
    "slices": 4,
    "permutations": 3,
    "threshold": "balanced_accuracy",
    "coverage": 0.9,
}
LABELS = {
    "binary": ("healthy", "ill"),
    "several": ("low", "middle", "high"),
    "regression": (),
}
METRICS = {"binary": "roc_auc", "several": "roc_auc", "regression": "rmse"}


def make_schema(kind: str) -> Schema:
    labels = LABELS[kind]
    if labels:
        return Schema(problem="classification", fields=FIELDS, labels=labels)
    return Schema(problem="regression", fields=FIELDS, labels=labels)


def make_frame(kind: str, rows: int, seed: int, first: int = 1) -> pd.DataFrame:
    """Simulate rows whose target depends on ``dose`` above all and never on ``noise``."""
    rng = np.random.default_rng(seed)
    dose, treated = rng.normal(size=rows), rng.random(rows) < 0.5
    level = 2 * dose - treated + rng.logistic(size=rows)
    frame = pd.DataFrame(
        {
            ROW: np.arange(first, first + rows),
            "dose": dose,
            "noise": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
            "count": pd.array(rng.integers(0, 5, rows), dtype="Int64"),
            "group": pd.array(rng.choice(["a", "b", "<c>|"], rows), dtype="str"),
            "treated": pd.array(treated, dtype="boolean"),
            "seen_on": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 900, rows), "D"),
        }
    )
    frame["seen_on"] = frame["seen_on"].astype("datetime64[us]")
    frame[TARGET] = _target(kind, level)
    return frame


def _target(kind: str, level: np.ndarray[Any, Any]) -> Any:
    if kind == "regression":
        return 100 + 10 * level
    cuts = [0.0] if kind == "binary" else [-1.0, 1.0]
    return np.array(LABELS[kind], dtype=object)[np.searchsorted(cuts, level)]


def linear(kind: str) -> Any:
    return Ridge() if kind == "regression" else LogisticRegression()


def forest(kind: str) -> Any:
    family = RandomForestRegressor if kind == "regression" else RandomForestClassifier
    return family(n_estimators=10, min_samples_leaf=5, random_state=1)


def build_fixture(root: Path, kind: str = "binary", rows: int = 240, **settings: Any) -> None:
    """Write a task ``demo`` with two trained candidates, linear and forest, into ``root``."""
    schema, prepared = make_schema(kind), root / "data/prepared/demo"
    train, validation = make_frame(kind, rows, 1), make_frame(kind, rows // 4, 2, first=rows + 1)
    write_frame(prepared / "train.parquet", train)
    write_frame(prepared / "validation.parquet", validation)
    write_frame(prepared / "test.parquet", make_frame(kind, rows // 2, 3, first=2 * rows))
    write_json(prepared / "schema.json", schema.model_dump(mode="json"))
    known = pd.concat([train, validation])
    for name, complexity, make in (("linear", 1, linear), ("forest", 2, forest)):
        write_candidate(root, name, complexity, partial(make, kind), known, schema)
    task = {"metric": METRICS[kind], "class_weight": None}
    with (root / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"task": {"demo": task}, "evaluation": SETTINGS | settings}, file)


def write_candidate(
    root: Path,
    name: str,
    complexity: int,
    make: Callable[[], Any],
    known: pd.DataFrame,
    schema: Schema,
    repeats: int = 2,
    folds: int = 4,
) -> None:
    """Fit one family and write its three files."""
    folder = root / "data/candidates/demo" / name
    X, y = encode(known, schema), encode_target(known, schema)
    tables = []
    for repeat in range(repeats):
        for fold, (fitted, held) in enumerate(
            KFold(folds, shuffle=True, random_state=repeat).split(X)
        ):
            found = _predicted(_fitted(make, schema, X[fitted], y[fitted]), X[held], schema)
            names = [f"p_{i}" for i in range(len(schema.labels))] or ["value"]
            table = pd.DataFrame(found.reshape(len(held), -1), columns=names)
            table.insert(0, "repeat", repeat)
            table.insert(1, "fold", fold)
            table.insert(2, ROW, known[ROW].to_numpy()[held])
            tables.append(table)
    write_frame(folder / "out_of_fold.parquet", pd.concat(tables, ignore_index=True))
    record = {
        "model": name,
        "complexity": complexity,
        "target": type(make()).__name__,
        "rounds": None,
        "rows": len(known),
        "features": len(schema.fields),
        "libraries": {},
        "code": "c" * 64,
        "params": "d" * 64,
    }
    write_json(folder / "candidate.json", record)
    with atomic(folder / "model.joblib") as file:
        joblib.dump(_fitted(make, schema, X, y), file)


def _fitted(make: Callable[[], Any], schema: Schema, X: Any, y: Any) -> Pipeline:
    features = Featurizer(schema, scale=True)
    return Pipeline([("features", features), ("estimator", make())]).fit(X, y)


def _predicted(pipeline: Pipeline, X: Any, schema: Schema) -> Any:
    return pipeline.predict_proba(X) if schema.labels else pipeline.predict(X)
