"""A repository in small: git commits with a ``dvc.lock`` and the cache behind it, no stage run."""

import hashlib
import io
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from stages.contract.task import Task
from stages.shared.features import encode_target
from stages.shared.schema import ROW, TARGET, Field, Schema
from stages.validating.prepared import Prepared
from stages.validating.statistics import compute_statistics
from tests.support.evaluate_fixtures import METRICS, SETTINGS, make_frame, make_schema

Array = np.ndarray[Any, np.dtype[Any]]
GATE = {"confidence": 0.95, "fail_on": ["metric"], "allowed_loss": 0.0, "margin": 0.01}
PARTS = ("train", "validation", "test")
REPEATS, FOLDS = 2, 4


@dataclass
class Content:
    """One task: its tables, what its champion says of the test rows, and more of its files."""

    kind: str = "binary"
    rows: int = 200
    noise: float = 0.0  # what makes the champion worse, in units of the target's own noise
    noise_out_of_fold: float | None = None  # the same out of fold; None: as on the test rows
    champion: str = "linear"
    metric: str | None = None
    models: Mapping[str, Any] = field(default_factory=lambda: {"linear": {"C": 1.0}})
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    schema: Schema | None = None
    seed: int = 0
    without: tuple[str, ...] = ()  # files that the lock does not list

    def __post_init__(self) -> None:
        self.schema = self.schema or make_schema(self.kind)
        if not self.frames:
            sizes = (self.rows, self.rows, self.rows)
            self.frames = {
                part: make_frame(self.kind, size, seed, first=seed * 10_000)
                for seed, (part, size) in enumerate(zip(PARTS, sizes, strict=True), 1)
            }

    def predictions(self) -> Array:
        """Predict the test rows, with the champion's own noise on top."""
        return self._predict(self.frames["test"], self.noise, np.random.default_rng(self.seed))

    def out_of_fold(self) -> pd.DataFrame:
        """Predict the rows to train on once a repeat, as `train` writes it."""
        known = pd.concat([self.frames["train"], self.frames["validation"]], ignore_index=True)
        noise = self.noise if self.noise_out_of_fold is None else self.noise_out_of_fold
        rng = np.random.default_rng(1_000 + self.seed)
        parts = []
        for repeat in range(REPEATS):
            found = self._predict(known, noise, rng).reshape(len(known), -1)
            table = pd.DataFrame(found, columns=prediction_names(self.schema, found.shape[1]))
            table.insert(0, "repeat", repeat)
            table.insert(1, "fold", rng.permutation(len(known)) % FOLDS)
            table.insert(2, ROW, known[ROW].to_numpy())
            parts.append(table)
        return pd.concat(parts, ignore_index=True)

    def _predict(self, frame: pd.DataFrame, noise: float, rng: np.random.Generator) -> Array:
        """Predict by the rule that made the target."""
        treated = frame["treated"].to_numpy(dtype=np.float64)
        level = 2 * frame["dose"].to_numpy() - treated + noise * rng.normal(size=len(frame))
        if self.kind == "regression":
            return np.asarray(100 + 10 * level)
        cuts = np.array([0.0] if self.kind == "binary" else [-1.0, 1.0])
        above = 1 / (1 + np.exp(cuts - level[:, None]))
        ends = np.ones((len(frame), 1)), np.zeros((len(frame), 1))
        return -np.diff(np.hstack([ends[0], above, ends[1]]), axis=1)


class World:
    """A git repository in ``root``, whose commits are made by ``save``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / ".dvc").mkdir(parents=True)
        (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
        (root / ".gitignore").write_text("/.dvc/cache\n/.dvc/tmp\n/data/\n")
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "test")
        self.git("config", "user.email", "test@localhost")

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.root, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def save(self, tasks: Mapping[str, Content], report: Mapping[str, Any] = GATE) -> str:
        """Commit a state in which every task was run; return the commit's hash."""
        params = {
            "task": {name: contract(it) for name, it in tasks.items()},
            "evaluation": SETTINGS | {"resamples": 400},
            "report": dict(report),
        }
        stages: dict[str, Any] = {}
        for name, content in tasks.items():
            stages |= self._stages(name, content, params)
        self._write("params.yaml", params)
        self._write("dvc.lock", {"schema": "2.0", "stages": stages})
        self._write("dvc.yaml", {"stages": {name: {"cmd": "true"} for name in stages}})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "state")
        return self.git("rev-parse", "HEAD")

    def objects(self) -> list[Path]:
        return [path for path in (self.root / ".dvc/cache").rglob("*") if path.is_file()]

    def _stages(self, task: str, content: Content, params: Any) -> dict[str, Any]:
        files = {
            path: it for path, it in made(task, content).items() if path not in content.without
        }
        outs = {
            verb: [self._cached(path, it) for path, it in files.items() if path.split("/")[1] == of]
            for verb, of in (("prepare", "prepared"), ("validate", "validated"),
                             ("train", "candidates"), ("evaluate", "evaluated"))
        }  # fmt: skip
        key = f"task.{task}.models"
        read = {"params.yaml": {key: params["task"][task]["models"]}}
        prepared = [{key: it[key] for key in ("path", "md5")} for it in outs["prepare"]]
        return {
            f"prepare@{task}": {"cmd": f"prepare {task}", "outs": outs["prepare"]},
            f"validate@{task}": {"cmd": "validate", "deps": prepared, "outs": outs["validate"]},
            f"train@{task}-{content.champion}": {"cmd": "train", "outs": outs["train"]},
            f"evaluate-{task}": {"cmd": "evaluate", "deps": prepared, "params": read,
                                 "outs": outs["evaluate"]},
        }  # fmt: skip

    def _cached(self, path: str, content: bytes) -> dict[str, Any]:
        digest = hashlib.md5(content).hexdigest()
        cached = self.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_bytes(content)
        return {"path": path, "md5": digest, "size": len(content)}

    def _write(self, name: str, content: Any) -> None:
        with (self.root / name).open("w", encoding="utf-8") as file:
            YAML(typ="safe").dump(content, file)


def contract(content: Content) -> dict[str, Any]:
    """Return the task's part of ``params.yaml``."""
    schema = content.schema or make_schema(content.kind)
    target: dict[str, Any] = {"expression": "outcome"}
    if schema.labels:
        target |= {"classes": {it: it for it in schema.labels}, "positive": schema.labels[-1]}
    return {
        "title": "A simulated task",
        "source": "sample",
        "sources": {"sample": {"path": "data/sample.csv"}},
        "origin": {"path": "data/sample.csv"},
        "columns": {it.name: column(it) for it in schema.fields},
        "target": target,
        "metric": content.metric or METRICS[content.kind],
        "split": {"seed": 1, "validation": 0.2, "test": 0.2},
        "cv": {"folds": 5, "seed": 1},
        "text": {"word_ngrams": [1, 1], "char_ngrams": None, "min_df": 1, "max_features": 10,
                 "sublinear_tf": True},
        "models": dict(content.models),
    }  # fmt: skip


def column(it: Field) -> dict[str, Any]:
    values = {"values": list(it.values)} if it.values else {}
    return {"type": it.type, "missing": "allowed", **values}


def made(task: str, content: Content) -> dict[str, bytes]:
    """Return the task's outputs as the stages would write them."""
    prepared, evaluated = f"data/prepared/{task}", f"data/evaluated/{task}"
    schema = content.schema or make_schema(content.kind)
    found = content.predictions().reshape(len(content.frames["test"]), -1)
    predictions = pd.DataFrame(found, columns=prediction_names(schema, found.shape[1]))
    predictions.insert(0, ROW, content.frames["test"][ROW].to_numpy())
    evaluation = evaluated_json(content, schema)
    return {
        **{f"{prepared}/{part}.parquet": parquet(it) for part, it in content.frames.items()},
        f"{prepared}/schema.json": as_json(schema.model_dump()),
        f"data/validated/{task}/statistics.json": as_json(summary(task, content)),
        f"{evaluated}/evaluation.json": as_json(evaluation),
        f"{evaluated}/metrics.json": as_json({"champion": content.champion, "seed": content.seed}),
        f"{evaluated}/predictions.parquet": parquet(predictions),
        f"data/candidates/{task}/{content.champion}/out_of_fold.parquet": parquet(
            content.out_of_fold()
        ),
    }


def prediction_names(schema: Schema | None, columns: int) -> list[str]:
    """Return the names of so many columns of predictions, as the stages have them."""
    return [f"p_{i}" for i in range(columns)] if schema and schema.labels else ["value"]


def evaluated_json(content: Content, schema: Schema) -> dict[str, Any]:
    metric = content.metric or METRICS[content.kind]
    score = {"value": 0.5, "low": 0.4, "high": 0.6, "baseline": 0.5}
    return {
        "metric": metric,
        "champion": content.champion,
        "threshold": 0.5 if schema.is_binary else None,
        "interval": None if schema.labels else {"coverage": 0.9, "half_width": 30.0},
        "candidates": [
            {"model": name, "mean": 0.8, "standard_error": 0.01, "chosen": name == content.champion}
            for name in content.models
        ],
        "test": {"rows": content.rows, "resamples": 400, "confidence": 0.95,
                 "metrics": {metric: score}, "confusion": None},
    }  # fmt: skip


def summary(task: str, content: Content) -> Any:
    """Return the statistics that `validate` would write."""
    known = Task.parse(contract(content), task)
    prepared = Prepared.from_splits(
        content.frames,
        task=task,
        columns=known.columns,
        target=known.target,
        split=known.split,
        source="sample",
    )
    return compute_statistics(prepared).model_dump()


def parquet(frame: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file, index=False)
    return file.getvalue()


def as_json(content: Any) -> bytes:
    return json.dumps(content).encode()


def truth(content: Content) -> Array:
    return encode_target(content.frames["test"], content.schema or make_schema(content.kind))


def edited(content: Content, part: str, frame: pd.DataFrame, **changes: Any) -> Content:
    """Return the same task with another table in one part."""
    values = {**vars(content), **changes, "frames": {**content.frames, part: frame}}
    return Content(**values)


__all__ = ["GATE", "TARGET", "Content", "World", "contract", "edited", "made", "truth"]
