"""A simulated table of reviews with numbers beside them, run through the real stages."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

import stages
from stages import evaluate, export, prepare, train
from stages.contract.text_features import TextFeatures
from stages.runner import declare
from stages.shared.schema import Field, Schema
from tests.support.defaults import contract_defaults
from tests.support.evaluate_fixtures import SETTINGS

GOOD = ("fine", "wunderschön", "très bon", "😀", "素晴らしい", "ممتاز", "love it", "GREAT!")
BAD = ("bad", "schlecht", "pas bon", "😡", "ひどい", "سيئ", "broken", "awful...")
FILLER = ("the", "food", "film", "phone", "it", "was", "Straße", "İstanbul", "and", "service", "3")
TEXT = {
    "word_ngrams": [1, 2],
    "char_ngrams": [2, 4],
    "min_df": 1,
    "max_features": 3000,
    "sublinear_tf": True,
}
FEATURES = TextFeatures.model_validate(TEXT)
COLUMNS: dict[str, dict[str, Any]] = {
    "price": {"type": "number", "missing": "allowed"},
    "review": {"type": "text", "length": [3, 120], "normalise": "NFC"},
    "shop": {"type": "category", "values": ["a", "b"]},
    "title": {"type": "text", "missing": "allowed"},
}
SCHEMA = Schema(
    problem="classification",
    fields=tuple(
        Field(name=name, type=column["type"], values=column.get("values", ()))
        for name, column in COLUMNS.items()
    ),
    labels=("negative", "positive"),
    positive="positive",
)
ONE_TEXT = SCHEMA.model_copy(update={"fields": (SCHEMA.fields[1],)})
SMALL: dict[str, dict[str, Any]] = {
    "linear": {"C": 10.0},
    "forest": {"n_estimators": 20, "n_jobs": 1},
    "lightgbm": {"n_estimators": 30, "n_jobs": 1, "_early_stopping_": None},
    "xgboost": {"n_estimators": 30, "n_jobs": 1, "_early_stopping_": None},
}


def reviews(rows: int, seed: int = 0) -> pd.DataFrame:
    """Simulate reviews: a good or a bad word among others; prices of 0, or missing."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    price = np.where(rng.random(rows) < 0.3, 0.0, rng.normal(20, 5, rows).round(2))
    return pd.DataFrame(
        {
            "price": np.where(rng.random(rows) < 0.1, np.nan, price),
            "review": [_sentence(rng, GOOD if is_good else BAD) for is_good in label],
            "shop": rng.choice(["a", "b"], rows),
            "title": [_sentence(rng, FILLER) if rng.random() < 0.8 else None for _ in label],
            "label": np.where(label, "positive", "negative"),
        }
    )


def _sentence(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    chosen = [*rng.choice(FILLER, rng.integers(3, 9)), rng.choice(words)]
    return " ".join(rng.permutation(chosen))


def matrix(rows: int, seed: int = 0) -> tuple[Any, Any]:
    """Return the encoded matrix of such reviews, some of an undeclared shop, and the target."""
    frame = reviews(rows, seed)
    X = np.empty((rows, 4), dtype=object)
    X[:, 0] = frame["price"]
    X[:, 1] = frame["review"]
    X[:, 2] = np.random.default_rng(seed).integers(-1, 2, rows).astype(float)
    X[:, 3] = frame["title"].fillna("")
    return X, (frame["label"] == "positive").to_numpy(dtype=np.int64)


def build_text_world(root: Path, families: tuple[str, ...] = ("linear",), rows: int = 160) -> None:
    """Leave a task ``demo`` in ``root`` with what every stage up to `export` writes.

    The working directory must be ``root``.
    """
    (root / "stages").symlink_to(Path(next(iter(stages.__path__))).absolute())
    reviews(rows).to_csv(root / "reviews.csv", index=False)
    with (root / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(params_of(families), file)
    declare.read_params.cache_clear()
    prepare.main("demo")
    for family in families:
        train.main("demo", family)
    evaluate.main("demo", *families)
    export.main("demo")


def params_of(families: tuple[str, ...]) -> dict[str, Any]:
    model = {
        name: YAML(typ="safe").load(Path(f"{Path(__file__).parents[2]}/conf/model/{name}.yaml"))
        for name in families
    }
    task = {
        **contract_defaults(),
        "title": "Reviews",
        "origin": {"path": "reviews.csv"},
        "columns": COLUMNS,
        "derived": {"twice": "2 * price"},
        "target": {
            "expression": "label",
            "classes": ["negative", "positive"],
            "positive": "positive",
        },
        "metric": "roc_auc",
        "split": {"seed": 1, "validation": 0.2, "test": 0.25},
        "cv": {"folds": 3, "seed": 1},
        "class_weight": "balanced",
        "text": TEXT,
        "models": {name: SMALL[name] for name in families},
    }
    settings = {**SETTINGS, "resamples": 20, "permutations": 1}
    export_settings = {"tolerance": 1e-6, "max_int8_loss": 0.005}
    return {
        "task": {"demo": task},
        "model": model,
        "evaluation": settings,
        "export": export_settings,
        "device": "cpu",
    }
