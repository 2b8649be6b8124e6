"""Scores texts on the UCI sentences: ``python -m benchmarks.text_quality FOLDER``.

FOLDER holds the three files of UCI's Sentiment Labelled Sentences (Kotzias et al. 2015): 1,000
sentences of each of three sites. Of each site 80 % are fitted on and 20 % scored, drawn with seed
42 and both classes in proportion. Prints accuracy on the 600 rows with its bootstrap interval, by
site as well, and how much each differs from the first, in pairs of the same rows.

The first line is what tutorials do: TF-IDF of words and pairs, logistic regression, all defaults of
scikit-learn. The others are the models of ``conf/task/sentiment.yaml``, fitted as `train` does.
"""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from benchmarks.quality import final_fit
from stages.composing import config
from stages.runner import declare
from stages.shared.predicting import predict
from stages.shared.schema import Field, Schema
from stages.train import STAGE as TRAIN
from stages.training.recipe import build_recipe

Array = np.ndarray[Any, np.dtype[Any]]
SITES = ("amazon_cells", "imdb", "yelp")
SEED = 42
RESAMPLES = 10_000
SCHEMA = Schema(
    problem="classification",
    fields=(Field(name="text", type="text"),),
    labels=("negative", "positive"),
    positive="positive",
)


def main() -> None:
    """Print one line for each model."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.text_quality FOLDER")
    table = sentences(Path(sys.argv[1]))
    fitted, held = split(table)
    reference: Array | None = None
    for name, probability, seconds in answers(table.iloc[fitted], table.iloc[held]):
        right = (probability >= 0.5) == table["label"].to_numpy()[held]
        reference = right if reference is None else reference
        sites = table["site"].to_numpy()[held]
        print(f"{name:32} {shown(right, reference, sites)}  {seconds:6.1f} s CPU", flush=True)


def sentences(folder: Path) -> pd.DataFrame:
    """Return ``text``, ``label`` (0 or 1) and ``site`` of every sentence.

    Lines end with a line feed and nothing else: two hold U+0085, and quotes are not in pairs.
    """
    rows = []
    for site in SITES:
        lines = (folder / f"{site}_labelled.txt").read_bytes().decode().removesuffix("\n")
        for line in lines.split("\n"):
            text, label = line.rsplit("\t", 1)
            rows.append((text.strip(), int(label), site))
    return pd.DataFrame(rows, columns=["text", "label", "site"])


def split(table: pd.DataFrame) -> tuple[Array, Array]:
    """Return the places of the rows to fit on and of those to score, site by site."""
    pairs = [
        train_test_split(rows, test_size=0.2, random_state=SEED, stratify=table["label"].iloc[rows])
        for rows in (np.flatnonzero(table["site"] == site) for site in SITES)
    ]
    fitted, held = zip(*pairs, strict=True)
    return np.concatenate(fitted), np.concatenate(held)


def answers(fitted: pd.DataFrame, held: pd.DataFrame) -> Iterator[tuple[str, Array, float]]:
    """Yield each model's name, its probabilities of the rows held out, and its CPU seconds."""
    start = time.process_time()
    tutorial = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())
    found = tutorial.fit(fitted["text"], fitted["label"]).predict_proba(held["text"])
    yield "scikit-learn, words 1-2", found[:, 1], time.process_time() - start
    params = config.read_yaml(config.compose_params())
    declare.read_params = lambda *_: params  # type: ignore[assignment]  # what every stage then loads
    X, y = (fitted[["text"]].to_numpy(dtype=object), fitted["label"].to_numpy())
    for model in params["task"]["sentiment"]["models"]:
        start = time.process_time()
        recipe = build_recipe(TRAIN.load(task="sentiment", model=model), SCHEMA, model)
        pipeline = final_fit(recipe, X, y)
        found = predict(pipeline, held[["text"]].to_numpy(dtype=object), SCHEMA)
        yield f"TF-IDF, {model}", found[:, 1], time.process_time() - start


def shown(right: Array, reference: Array, sites: Array) -> str:
    """Return accuracy, its interval, the gain on the reference in pairs, and accuracy by site."""
    drawn = np.random.default_rng(SEED).integers(0, len(right), (RESAMPLES, len(right)))
    gain = right.astype(float) - reference
    low, high = np.quantile(right[drawn].mean(axis=1), [0.025, 0.975])
    worst, best = np.quantile(gain[drawn].mean(axis=1), [0.025, 0.975])
    by_site = "  ".join(f"{site} {right[sites == site].mean():.3f}" for site in SITES)
    return (
        f"{right.mean():.4f} [{low:.3f}, {high:.3f}] n={len(right)}  "
        f"gain {gain.mean():+.3f} [{worst:+.3f}, {best:+.3f}]  {by_site}"
    )


if __name__ == "__main__":
    main()
