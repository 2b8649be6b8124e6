"""Tasks, rows, files and requests made at random: odd in every way that the contract lets in.

What is asked is known to be answered, by numpy, so that a value that is lost or altered on any way
shows; what is broken must be refused with a reason.
"""

import asyncio
import csv
import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from serve.http.app import Service
from serve.runtime.encode import Encoder
from serve.runtime.manifest import Column
from tests.support.fuzzing import broken
from tests.support.serve_models import column, graph, softmax, write_model

Json = dict[str, Any]
LETTERS = "abcXYZ019 _-.\"'\\/:;,|\t\n\r\0\x1f\x7f%{}[]<>$&#@é\u0301\u2028\u202e\ufeff中🙂\u0000"
WORDS = ("class", "None", "null", "true", "NaN", "label", "value", "warnings", "predictions", "1")
SECONDS = 30.0  # that any one answer may take on a busy machine
KINDS = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
ODD_HEADERS: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (b"accept", (b"text/csv", b"*/*", b"\xff", b"application/openmetrics-text")),
    (b"origin", (b"null", b"https://x.example", b"\xe9")),
    (b"x-request-id", (b"a" * 200, b"plain", b'"', b"\x80")),
    (b"content-length", (b"0", b"5", b"-1", b"9" * 30, b"\xb2")),
    (b"content-encoding", (b"gzip", b"identity", b"br")),
    (b"inference-header-content-length", (b"0", b"3", b"9" * 20, b"x")),
    (b"authorization", (b"Bearer", b"Bearer \xff", b"Basic x")),
    (b"content-type", (b"", b"text/csv; charset=utf-7", b"application/json;;=", b"\xff/\xff")),
)


def make_text(rng: random.Random, most: int = 8) -> str:
    """Return a text of odd letters, or an odd word."""
    if rng.random() < 0.3:
        return rng.choice(WORDS)
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(1, most)))


def make_names(rng: random.Random, count: int) -> list[str]:
    """Return so many different texts."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[make_text(rng)] = None
    return list(found)


@dataclass
class OddTask:
    """A linear task of odd columns, written where a server finds it."""

    columns: list[Json]
    labels: list[str]
    weights: np.ndarray
    encoder: Encoder = field(init=False)

    def __post_init__(self) -> None:
        typed = [Column.model_validate_json(json.dumps(about)) for about in self.columns]
        self.encoder = Encoder(typed)

    @property
    def names(self) -> list[str]:
        return [about["name"] for about in self.columns]

    def predict(self, row: Json) -> list[float]:
        """Return what the task answers to a row, by numpy alone."""
        vector = np.nan_to_num(np.array(self.encoder.encode_unchecked(row), float))
        scores = vector @ self.weights
        return softmax(scores).tolist() if self.labels else [float(scores[0])]


def make_task(rng: random.Random, models: Path) -> OddTask:
    """Write ``models/odd``, with columns, labels and values at random."""
    names = make_names(rng, rng.randint(1, 6))
    columns = [_make_column(rng, name) for name in names]
    labels = make_names(rng, rng.choice((0, 2, 3)))
    weights = np.array([[rng.uniform(-0.1, 0.1) for _ in labels or "v"] for _ in columns])
    task = OddTask(columns, labels, weights)
    row = make_row(rng, task)
    plain: Json = {"positive": None, "threshold": None, "unit": None, "interval": None}
    output = "probabilities" if labels else "value"
    changes = {
        "problem": "classification" if labels else "regression",
        "columns": columns,
        "target": {"labels": labels, **plain},
        "onnx": {"input": "X", "output": output},
        "golden": [{"input": row, "output": task.predict(row)}],
    }
    write_model(models, "odd", graph(weights, output), changes)
    return task


def _make_column(rng: random.Random, name: str) -> Json:
    kind = rng.choice(("number", "integer", "boolean", "category"))
    more: Json = {"missing": rng.choice(("allowed", "forbidden"))}
    if kind == "category":
        more |= {
            "values": make_names(rng, rng.randint(1, 4)),
            "unseen": rng.choice(("reject", "flag")),
        }
    if kind in ("number", "integer") and rng.random() < 0.5:
        more |= {"range": [-50.0, 50.0], "seen": [-10.0, 10.0]}
    return column(name, kind, **more)


def make_row(rng: random.Random, task: OddTask) -> Json:
    """Return a row that the contract lets in."""
    return {about["name"]: _make_value(rng, about) for about in task.columns}


def _make_value(rng: random.Random, about: Json) -> Any:
    if about["missing"] == "allowed" and rng.random() < 0.2:
        return None
    match about["type"]:
        case "category":
            return rng.choice(about["values"])
        case "boolean":
            return rng.random() < 0.5
        case "integer":
            return rng.randint(-50, 50)
        case _:
            return rng.choice((0.0, -0.0, 1e-7, rng.uniform(-50, 50)))


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


async def ask(
    app: Service, path: str, kind: str, body: bytes, query: str = "", odd: Sequence[Any] = ()
) -> Answer:
    """Post a body in a few parts; raises TimeoutError where no answer comes."""
    headers = [(b"host", b"x"), (b"content-type", kind.encode()), *odd]
    scope: Json = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": query.encode(), "headers": headers, "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "app": app,
    }  # fmt: skip
    third = len(body) // 3
    parts = [body[:third], b"", body[third:]]
    waiting = [
        {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
        for number, part in enumerate(parts)
    ]
    sent: list[Json] = []

    async def receive() -> Json:
        return waiting.pop(0) if waiting else await asyncio.Future()

    async def send(message: Json) -> None:
        sent.append(message)

    await asyncio.wait_for(app(scope, receive, send), SECONDS)  # type: ignore[arg-type]
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], dict(sent[0]["headers"]), content)


def check_sound(answer: Answer, asked: object) -> None:
    """Raise AssertionError for a failure, or a refusal without a reason."""
    assert answer.status < 500, (answer.status, answer.body[:500], asked)
    if answer.status >= 400:
        assert answer.headers[b"content-type"] == b"application/json", (answer, asked)
        told = json.loads(answer.body)
        assert told.get("detail") or told.get("error"), (answer, asked)


async def check_answers(app: Service, task: OddTask, rng: random.Random) -> int:
    """Ask for the same rows in every way; return how many rows each way answered alike."""
    rows = [make_row(rng, task) for _ in range(rng.randint(1, 5))]
    expected = np.array([task.predict(row) for row in rows])
    answer = await ask(app, "/predict/odd", KINDS["json"], json.dumps(rows).encode())
    assert answer.status == 200, (answer.body, rows)
    predictions = json.loads(answer.body)["predictions"]
    found = np.array([_list_numbers(task, one) for one in predictions])
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-12), (found, expected, rows)
    await _check_tensors(app, task, rows, found)
    ids = [make_text(rng) for _ in rows]
    await _check_parquet(app, task, rows, ids, found)
    await _check_csv(app, task, rows, ids, found)
    return len(rows)


def _list_numbers(task: OddTask, prediction: Json) -> list[float]:
    if not task.labels:
        return [prediction["value"]]
    assert list(prediction["probabilities"]) == task.labels
    return list(prediction["probabilities"].values())


async def _check_tensors(app: Service, task: OddTask, rows: list[Json], found: np.ndarray) -> None:
    kinds = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "category": "BYTES"}
    inputs = [
        {"name": about["name"], "shape": [len(rows)], "datatype": kinds[about["type"]],
         "data": [row[about["name"]] for row in rows]}
        for about in task.columns
    ]  # fmt: skip
    body = json.dumps({"inputs": inputs}).encode()
    answer = await ask(app, "/v2/models/odd/infer", KINDS["json"], body)
    assert answer.status == 200, (answer.body, rows)
    outputs = {one["name"]: one["data"] for one in json.loads(answer.body)["outputs"]}
    numbers = outputs["probabilities" if task.labels else "value"]
    assert numbers == found.ravel().tolist(), (outputs, rows)


async def _check_parquet(
    app: Service, task: OddTask, rows: list[Json], ids: list[str], found: np.ndarray
) -> None:
    kinds = {"number": pa.float64(), "integer": pa.int64(), "boolean": pa.bool_()}
    arrays = {
        about["name"]: pa.array(
            [row[about["name"]] for row in rows], kinds.get(about["type"], pa.string())
        )
        for about in task.columns
    }
    name = next(name for name in ("id", "id2", "id3") if name not in arrays)
    file = io.BytesIO()
    pq.write_table(pa.table({**arrays, name: ids}), file)
    path, query = "/predict/odd/parquet", f"id={name}"
    answer = await ask(app, path, KINDS["parquet"], file.getvalue(), query)
    assert answer.status == 200, (answer.body, rows)
    table = pq.read_table(io.BytesIO(answer.body)).to_pydict()
    assert table[name] == ids, (table, ids)
    for place, row in enumerate(rows):
        if _is_plain(row):
            numbers = [table[column][place] for column in _name_outputs(task)]
            assert numbers == found[place].tolist(), (table, row)


async def _check_csv(
    app: Service, task: OddTask, rows: list[Json], ids: list[str], found: np.ndarray
) -> None:
    if any(name != name.strip() for name in task.names) or "id" in task.names:
        return  # a header's blanks are not part of its names
    file = io.StringIO()
    writer = csv.writer(file)  # whose lines end with \r\n, so that it quotes either
    writer.writerow([*task.names, "id"])
    for row, own in zip(rows, ids, strict=True):
        writer.writerow(["" if v is None else v for v in row.values()] + [own])
    content = file.getvalue().encode()
    answer = await ask(app, "/predict/odd/csv", KINDS["csv"], content, "id=id")
    check_sound(answer, content)
    if answer.status != 200:
        return  # a name with a line's end, say: the header says so
    table = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    if len(table) != len(rows) or not all(map(_is_plain, rows)):
        return
    assert [row["id"] for row in table] == ids, (table, ids)
    for place, row in enumerate(rows):
        if _is_plain(row) and not table[place]["error"]:
            numbers = [float(table[place][name]) for name in _name_outputs(task)]
            assert numbers == found[place].tolist(), (table, row)


def _name_outputs(task: OddTask) -> list[str]:
    return [f"probability_{label}" for label in task.labels] or ["value"]


def _is_plain(row: Json) -> bool:
    """Say whether each text of a row is the same in a table, where blanks and marks are none."""
    texts = [value for value in row.values() if isinstance(value, str)]
    return all(text == text.strip() and text not in ("", "?", "NA") for text in texts)


async def break_request(app: Service, task: OddTask, rng: random.Random) -> int:
    """Send a broken body, odd headers or both to some path; return the status."""
    rows = [make_row(rng, task)]
    paths = ("/predict/odd", "/predict", "/explain/odd", "/v2/models/odd/infer",
             "/predict/odd/csv", "/predict/odd/parquet", f"/predict/{make_text(rng)}")  # fmt: skip
    path = rng.choice(paths)
    body = json.dumps(rng.choice((rows, rows[0]))).encode()
    kind = KINDS.get(path.rpartition("/")[2], KINDS["json"])
    if kind == KINDS["csv"]:
        body = ",".join(task.names).encode() + b"\n" + body
    if rng.random() < 0.8:
        body = broken(body, rng)
    odd = [(name, rng.choice(values)) for name, values in ODD_HEADERS if rng.random() < 0.15]
    answer = await ask(app, path, kind, body, odd=odd)
    check_sound(answer, (path, body, odd))
    return answer.status
