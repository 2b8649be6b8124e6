"""A tiny fine-tuned transformer on the simulated reviews of ``text_world``, ready to export."""

import stages.shared.threads

# isort: split
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import joblib
import numpy as np
import pandas as pd
import safetensors.torch
import torch
from ruamel.yaml import YAML
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer

import stages
from stages import evaluate, export
from stages.runner import declare
from stages.shared.features import encode, encode_target
from stages.shared.finetuned import FineTuned, Pooling, build_network, limit_threads
from stages.shared.schema import ROW, TARGET, Schema
from stages.shared.storage import atomic, write_frame, write_json
from tests.support.evaluate_fixtures import SETTINGS
from tests.support.text_fixtures import BAD, COLUMNS, FILLER, GOOD, SCHEMA, reviews
from tests.support.tiny_encoder import WIDTH, make_encoder

MOST_TOKENS = 24
TEMPERATURE = 1.7
EXPORT: dict[str, Any] = {"tolerance": 1e-5, "max_int8_loss": 0.05}


def table(rows: int, seed: int, first: int = 1) -> pd.DataFrame:
    """Return reviews as `prepare` leaves them."""
    frame = reviews(rows, seed)
    for name in ("review", "shop", "title", "label"):
        frame[name] = frame[name].astype("str")
    frame.insert(0, ROW, np.arange(first, first + rows))
    return frame.rename(columns={"label": TARGET})


@cache
def make_transformer(pooling: Pooling = "mean", schema: Schema = SCHEMA) -> FineTuned:
    """Return a random network; with ``mean`` pooling its head is fitted on reviews."""
    with TemporaryDirectory() as name:
        folder = make_encoder(Path(name), [*GOOD, *BAD, *FILLER])
        config = (folder / "config.json").read_text()
        weights = safetensors.torch.load((folder / "model.safetensors").read_bytes())
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MOST_TOKENS)
    module = build_network(json.dumps(_plain(config)), len(schema.labels), pooling)
    _load(module, weights, pooling)
    made = FineTuned(
        schema=schema,
        config=json.dumps(_plain(config)),
        weights=safetensors.torch.save(_state(module)),
        tokenizer=tokenizer.to_str(),
        separator=" [SEP] ",
        pooling=pooling,
        temperature=TEMPERATURE,
    )
    return _with_head(made, module) if pooling == "mean" else made


def build_transformer_fixture(root: Path, rows: int = 80, **settings: Any) -> None:
    """Leave a task ``demo`` in ``root`` whose champion is a transformer, evaluated for real.

    The working directory must be ``root``; ``settings`` are of the export.
    """
    (root / "stages").symlink_to(Path(next(iter(stages.__path__))).absolute())
    (root / "serve").symlink_to(Path(next(iter(stages.__path__))).absolute().parent / "serve")
    sizes = {"train": 2 * rows, "validation": rows, "test": rows}
    frames = {
        name: table(count, seed, 1 + 1000 * seed)
        for seed, (name, count) in enumerate(sizes.items())
    }
    for name, frame in frames.items():
        write_frame(root / f"data/prepared/demo/{name}.parquet", frame)
    write_json(root / "data/prepared/demo/schema.json", SCHEMA.model_dump(mode="json"))
    _write_params(root, settings)
    _write_candidate(root, pd.concat([frames["train"], frames["validation"]]))
    declare.read_params.cache_clear()
    evaluate.main("demo", "tiny")


def build_exported_transformer(root: Path, **settings: Any) -> Path:
    """Return ``models`` with the task ``demo``, which a transformer answers."""
    build_transformer_fixture(root, **settings)
    export.main("demo")
    return root / "models"


def texts(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return what the transformer reads of rows as requests have them."""
    return [" [SEP] ".join((row["review"], row.get("title") or "")) for row in rows]


def _plain(config: str) -> dict[str, Any]:
    """Return a configuration without what a fine-tuning would not write."""
    return {k: v for k, v in json.loads(config).items() if not k.startswith(("_", "transformers"))}


def _load(module: Any, weights: dict[str, torch.Tensor], pooling: Pooling) -> None:
    torch.manual_seed(1)
    body = "encoder." if pooling == "mean" else "encoder.bert."
    fresh = {n: torch.randn(tensor.shape) for n, tensor in module.state_dict().items()}
    known = {
        f"{body}{name}": tensor for name, tensor in weights.items() if f"{body}{name}" in fresh
    }
    module.load_state_dict({**fresh, **known})


def _state(module: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in module.state_dict().items()}


def _with_head(made: FineTuned, module: Any) -> FineTuned:
    """Fit the head on 400 reviews, as a frozen encoder's is fitted."""
    frame = table(400, 99)
    X, y = encode(frame, SCHEMA), encode_target(frame, SCHEMA)
    vectors = np.empty((len(X), WIDTH))
    with torch.inference_mode(), limit_threads(1):
        for row, ids in enumerate(made.tokenize(made.texts(X))):
            tokens = torch.tensor([ids])
            vectors[row] = module.eval().encoder(input_ids=tokens).last_hidden_state.mean(1)[0]
    fitted = LogisticRegression(C=100, max_iter=2000).fit(vectors, y)
    state = _state(module)
    rows = np.vstack([-fitted.coef_, fitted.coef_]) / 2
    state["head.weight"] = torch.tensor(rows, dtype=torch.float32)
    bias = np.concatenate([-fitted.intercept_, fitted.intercept_]) / 2
    state["head.bias"] = torch.tensor(bias, dtype=torch.float32)
    return FineTuned(**{**made.__getstate__(), "weights": safetensors.torch.save(state)})


def _write_params(root: Path, settings: dict[str, Any]) -> None:
    task = {
        "title": "Reviews",
        "origin": {"path": "reviews.csv"},
        "metric": "roc_auc",
        "class_weight": None,
        "columns": COLUMNS,
        "target": {
            "expression": "label",
            "classes": ["negative", "positive"],
            "positive": "positive",
        },
    }
    evaluation = {**SETTINGS, "resamples": 20, "permutations": 1}
    content = {
        "task": {"demo": task},
        "evaluation": evaluation,
        "export": {**EXPORT, **settings},
    }
    with (root / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(content, file)


def _write_candidate(root: Path, known: pd.DataFrame) -> None:
    folder = root / "data/candidates/demo/tiny"
    model = make_transformer()
    found = pd.DataFrame(model.predict_proba(encode(known, SCHEMA)), columns=["p_0", "p_1"])
    found.insert(0, "repeat", 0)
    found.insert(1, "fold", np.arange(len(known)) % 3)
    found.insert(2, ROW, known[ROW].to_numpy())
    write_frame(folder / "out_of_fold.parquet", found)
    facts = {
        "model": "tiny",
        "complexity": 5,
        "rows": len(known) * 2 // 3,  # train's: validation's stopped it
        "target": "bert from encoder",
        "rounds": None,
        "features": WIDTH,
        "libraries": {},
        "code": "c" * 64,
        "params": "d" * 64,
    }
    write_json(folder / "candidate.json", facts)
    with atomic(folder / "model.joblib") as file:
        joblib.dump(model, file)
