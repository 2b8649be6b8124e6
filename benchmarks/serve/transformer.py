"""What a served transformer costs: ``python -m benchmarks.serve.transformer FOLDER``.

FOLDER holds UCI's Sentiment Labelled Sentences. The shipped encoder, frozen, gets a logistic head
on the sentences fitted on by `benchmarks.text_quality`; every fifth of those decides on int8. On
the 600 others it prints the accuracy and CPU milliseconds of a text: in the process, for a dict in
and a checked answer out, one thread, interleaved with Hugging Face's pipeline; then over HTTP under
wrk, which is in Debian's package of that name. What batches would gain is printed as well: they are
not used, because answers would depend on the company (in int8 by more than a bit).
"""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
import torch
import transformers

from benchmarks.serve.load import press, running
from benchmarks.text_quality import SCHEMA, sentences, split
from serve.runtime.engine import TransformerEngine
from serve.runtime.load import load_model
from serve.runtime.manifest import Graph, Hashes, Manifest, Parity, Target, compute_version
from serve.runtime.model import Model
from stages.composing import config
from stages.contract.columns import Column
from stages.contract.source import Origin
from stages.evaluating.metrics import DecisionRule, find_metric
from stages.exporting.artifact import Artifact, choose_precision
from stages.exporting.describing import describe_columns, describe_model, describe_spelling
from stages.exporting.golden import answer_golden_rows
from stages.exporting.publishing import publish
from stages.exporting.quantising import Judge
from stages.exporting.transformer import INPUT
from stages.fine_tuning.examples import Examples
from stages.fine_tuning.frozen_head import compute_vectors, fit_head
from stages.fine_tuning.pretrained import Pretrained, load_pretrained
from stages.fine_tuning.trainable import build_trainable, merge_weights
from stages.shared.encoder import Encoder
from stages.shared.finetuned import FineTuned, limit_threads, read_pad_token
from stages.shared.tokens import pad_batch, tokenise_texts

Array = np.ndarray[Any, np.dtype[Any]]
TASK, COLUMNS = "sentiment", {"text": Column(type="text")}
REFERENCE = "Hugging Face pipeline"
ROUNDS, TIMED = 5, 200  # texts a round
BATCH = 8
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local bodies, at = {{}}, 0
for line in io.lines("{bodies}") do bodies[#bodies + 1] = line end
function request()
  at = at % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[at])
end
"""


def main() -> None:
    """Make the model, then measure it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--port", type=int, default=9200)
    given = parser.parse_args()
    table = sentences(given.folder)
    known, held = (table.iloc[rows] for rows in split(table))
    pretrained, model = make_model(known.iloc[np.arange(len(known)) % 5 > 0])
    with tempfile.TemporaryDirectory() as name:
        folders = {}
        for precision, most_loss in (("fp32", -1.0), ("int8", 1.0)):
            folders[precision] = Path(name, precision)
            write(folders[precision], model, known.iloc[::5], held, most_loss)
        measure_accuracy(model, folders, held)
        measure_in_process(pretrained, model, folders, held["text"].tolist())
        for precision, folder in folders.items():
            measure_over_http(folder, precision, held["text"], given.seconds, given.port)


def make_model(known: pd.DataFrame) -> tuple[Pretrained, FineTuned]:
    """Return the shipped encoder as published, and with a head fitted on the sentences."""
    params = config.read_yaml(config.compose_params())
    content = {**params["encoder"]["minilm"], "method": "frozen", "pooling": "mean"}
    encoder = Encoder.parse(content, "conf/encoder/minilm.yaml")
    pretrained = load_pretrained(encoder, "conf/encoder/minilm.yaml")
    module: Any = build_trainable(encoder, pretrained, len(SCHEMA.labels), "sdpa").eval()
    y = known["label"].to_numpy()
    examples = Examples(
        tokenise_texts(pretrained.tokenizer, known["text"].tolist()), y, np.ones(len(y), np.float32)
    )
    with limit_threads(1):
        X = compute_vectors(module, examples.pieces, read_pad_token(pretrained.config))
    weight, bias = fit_head(X, examples, len(SCHEMA.labels), encoder.head_c)
    weights = merge_weights(module)
    weights |= {"head.weight": torch.tensor(weight), "head.bias": torch.tensor(bias)}
    made = FineTuned(
        schema=SCHEMA,
        config=pretrained.config,
        weights=safetensors.torch.save(weights),
        tokenizer=pretrained.tokenizer,
        separator=pretrained.separator,
        pooling="mean",
    )
    return pretrained, made


def matrix(table: pd.DataFrame) -> Array:
    return table[["text"]].to_numpy(dtype=object)


def write(
    folder: Path, model: FineTuned, judged: pd.DataFrame, held: pd.DataFrame, most_loss: float
) -> None:
    """Write a folder of models as the export does, from what a benchmark knows."""
    metric = find_metric("accuracy", "classification", "benchmark")
    judge = Judge(metric, DecisionRule(), most_loss)
    artifact = choose_precision(Artifact.of(model), model, judge, matrix(judged), matrix(judged))
    assert artifact.tokenizer is not None
    columns = describe_columns(COLUMNS, held)
    manifest = Manifest(
        task=TASK,
        title="Sentences",
        problem="classification",
        version="",
        model=describe_model(artifact.model, "minilm", "bert, frozen", len(judged)),
        vectorisers=(),
        tokenizer=artifact.tokenizer[0],
        precision=artifact.precision,
        columns=columns,
        target=Target(
            labels=SCHEMA.labels, positive="positive", threshold=None, unit=None, interval=None
        ),
        spelling=describe_spelling(Origin(path="sentences.parquet"), columns),
        onnx=Graph(input=artifact.input, output="probabilities"),
        explanation=None,
        metrics={},
        parity=Parity(rows=0, largest_difference=0.0, tolerance=1e-5),
        golden=answer_golden_rows(artifact.exported, held, COLUMNS, SCHEMA),
        hashes=Hashes(data={}, params={}, code={}),
        libraries={},
    )
    manifest = manifest.model_copy(update={"version": compute_version(manifest)})
    publish(folder / TASK, artifact.files(manifest), manifest, "")
    if artifact.precision and artifact.precision.shipped == "int8":
        print(artifact.precision.model_dump_json(indent=2))


def measure_accuracy(model: FineTuned, folders: dict[str, Path], held: pd.DataFrame) -> None:
    """Print the accuracy of the network in torch, and of what is served."""
    truth = held["label"].to_numpy() == 1
    with limit_threads(1):
        network = model.predict_proba(matrix(held))[:, 1]
    found = {"torch": network}
    for name, folder in folders.items():
        served = load_model(folder / TASK)
        rows: list[Any] = [(["body"], {"text": text}) for text in held["text"]]
        found[name] = np.array([it.output[1] for it in served.run(served.check(rows))])
    for name, positive in found.items():
        same = (positive >= 0.5) == (network >= 0.5)
        print(
            f"{name:6} accuracy {((positive >= 0.5) == truth).mean():.4f} of {len(truth)}, labels "
            f"as in torch {same.mean():.4f}, largest difference {abs(positive - network).max():.2g}"
        )


def measure_in_process(
    pretrained: Pretrained, model: FineTuned, folders: dict[str, Path], texts: Sequence[str]
) -> None:
    """Print CPU milliseconds a text: the pipeline, ours, and what batches of ours would take."""
    ways: dict[str, Callable[[list[str]], object]] = {REFERENCE: huggingface(pretrained)}
    for name, folder in folders.items():
        served = load_model(folder / TASK)
        ways[f"served, {name}"] = partial(singly, served)
        ways[f"batches of {BATCH}, {name}"] = partial(batched, served, model)
    costs: dict[str, list[float]] = {name: [] for name in ways}
    with limit_threads(1):
        for number in range(ROUNDS):
            first = number * TIMED % len(texts)
            part = [*texts[first : first + TIMED]]
            for name, way in ways.items():
                start = time.process_time()
                way(part)
                costs[name].append((time.process_time() - start) / len(part) * 1e3)
    for name, found in costs.items():
        ratio = statistics.median(a / b for a, b in zip(costs[REFERENCE], found, strict=True))
        cost = statistics.median(found)
        print(f"{name:24} {cost:7.2f} ms CPU a text, {ratio:5.1f} times as fast")


def huggingface(pretrained: Pretrained) -> Callable[[list[str]], object]:
    """Return the tutorials' way: the same encoder with its own head, one text a call."""
    network = transformers.AutoModelForSequenceClassification.from_pretrained(pretrained.folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(pretrained.folder)
    pipeline: Any = transformers.pipeline(
        "text-classification", model=network, tokenizer=tokenizer, device="cpu"
    )
    return lambda part: [pipeline(text) for text in part]


def singly(served: Model, part: list[str]) -> None:
    for text in part:
        served.predict_one({"text": text})


def batched(served: Model, model: FineTuned, part: list[str]) -> None:
    """Run texts of similar length together; the graph has no mask, so that padding counts."""
    ids, engine = sorted(model.tokenize(part), key=len), served.engine
    assert isinstance(engine, TransformerEngine)
    for start in range(0, len(ids), BATCH):
        tokens, _ = pad_batch(ids[start : start + BATCH], 0)
        engine.transformer.session.run(None, {INPUT: tokens})


def measure_over_http(models: Path, name: str, texts: pd.Series, seconds: float, port: int) -> None:
    """Print requests a second, and the server's CPU milliseconds a request, each of one text."""
    os.environ["MODELS_DIR"] = str(models)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bodies, script = Path(folder, "bodies"), Path(folder, "post.lua")
        bodies.write_text("\n".join(json.dumps({"text": text}) for text in texts))
        script.write_text(SCRIPT.format(bodies=bodies))
        path = f"/predict/{TASK}"
        server = stack.enter_context(running(name, "serve.http.app:app", port, path))
        for _ in range(ROUNDS):
            press(server, script, seconds)
        print(
            f"over HTTP, {name}: {statistics.median(server.rates):,.0f} requests/s, "
            f"{statistics.median(server.costs) / 1e3:.2f} ms CPU a request, "
            f"{server.seconds_to_ready:.2f} s to ready, {server.megabytes:.0f} MB"
        )


if __name__ == "__main__":
    main()
