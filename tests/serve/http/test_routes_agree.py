"""One identical answer through every route, for every row of every exported sample.

Between routes there is no tolerance: the same float64, bit for bit. Between the trained pipeline
and the exported model `export.tolerance` is allowed, which `export` itself goes by.
"""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from ruamel.yaml import YAML

from serve.batch import __main__ as batch
from serve.http.openapi.examples import make_tensors
from serve.runtime.load import load_model
from stages.contract.columns import Column
from stages.contract.source import Origin
from stages.exporting.golden import to_plain
from stages.preparing.parsing import read_raw
from stages.shared.features import encode
from stages.shared.loading import load_pipeline
from stages.shared.predicting import predict
from stages.shared.schema import ROW, SPLITS, read_schema
from stages.shared.storage import read_frame
from tests.support.serving import serving
from tests.support.text_fixtures import build_text_world

Answer = tuple[Any, ...]  # the label and a probability for each, or the value and its interval
CSV = {"Content-Type": "text/csv"}
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}
SAMPLES = {"heart": "data/sample/heart.csv", "housing": "data/sample/housing.csv"}
LARGEST = 1e-5  # difference between trained and exported, relative to values above 1


@dataclass
class World:
    """A task that was trained and exported in ``root``, and its whole table."""

    root: Path
    task: str
    source: Path

    @cached_property
    def contract(self) -> dict[str, Any]:
        content = YAML(typ="safe").load(self.root / "params.yaml")["task"][self.task]
        return dict(content)

    @cached_property
    def columns(self) -> dict[str, Column]:
        declared = self.contract["columns"]
        return {name: Column.parse(it, name) for name, it in declared.items()}

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The prepared table, in the order of the file."""
        folder = self.root / "data/prepared" / self.task
        frames = [read_frame(folder / f"{split}.parquet") for split in SPLITS]
        return pd.concat(frames).sort_values(ROW, ignore_index=True)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as a client would send them in JSON."""
        cells = [
            [to_plain(cell, column) for cell in self.frame[name]]
            for name, column in self.columns.items()
        ]
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*cells, strict=True)]

    def write_parquet(self, path: Path) -> Path:
        """Write the raw table with the types that its cells have, as a client's would be."""
        self.frame[list(self.columns)].to_parquet(path)
        return path


@pytest.fixture(scope="module", params=[*SAMPLES, "reviews"])
def world(request: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The shipped tasks as `dvc repro` leaves them, and reviews, a table with texts."""
    if request.param in SAMPLES:
        root = request.getfixturevalue("baseline") / "run"  # a whole pipeline, if asked for
        return World(root, request.param, root / SAMPLES[request.param])
    root = tmp_path_factory.mktemp("reviews")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        build_text_world(root)
    return World(root, "demo", root / "reviews.csv")


@pytest.fixture(scope="module")
def client(world: World) -> Iterator[TestClient]:
    with serving(world.root / "models", default=world.task, reload="false") as client:
        yield client


@pytest.fixture(scope="module")
def singles(world: World, client: TestClient) -> list[Answer]:
    """The answers to the rows one by one, with which all others are compared."""
    found = []
    for row in world.rows:
        response = client.post(f"/predict/{world.task}", json=row)
        assert response.status_code == 200, response.text
        found.append(of_json(response.json()["predictions"][0]))
    return found


def of_json(answer: dict[str, Any]) -> Answer:
    if "label" in answer:
        return (answer["label"], *answer["probabilities"].values())
    return (answer["value"], *answer["interval"])


def of_table(row: dict[str, Any]) -> Answer:
    assert not row.pop("error"), row
    _number, _warnings = row.pop("line", None) or row.pop("row"), row.pop("warnings")
    return tuple(cell if name == "label" else float(cell) for name, cell in row.items())


def of_csv(text: str) -> list[Answer]:
    return [*map(of_table, csv.DictReader(io.StringIO(text)))]


def of_parquet(content: bytes) -> list[Answer]:
    return [*map(of_table, pq.read_table(io.BytesIO(content)).to_pylist())]


def run_batch(world: World, source: Path, out: Path) -> bytes:
    folder = str(world.root / "models")
    batch.main([world.task, str(source), str(out), "--models", folder, "--quiet"])
    return out.read_bytes()


def test_the_rows_are_all_of_the_file(world: World) -> None:
    origin = Origin.parse({**world.contract["origin"], "path": str(world.source)}, "origin")
    assert len(world.rows) == len(read_raw(origin, world.columns, "here")) > 100


def test_a_list(world: World, client: TestClient, singles: list[Answer]) -> None:
    found = client.post(f"/predict/{world.task}", json=world.rows).json()["predictions"]
    assert [*map(of_json, found)] == singles


def test_the_open_inference_protocol(
    world: World, client: TestClient, singles: list[Answer]
) -> None:
    model, found = load_model(world.root / "models" / world.task), []
    for row in world.rows:
        asked = {"inputs": [dict(it) for it in make_tensors(model, row)]}
        response = client.post(f"/v2/models/{world.task}/infer", json=asked)
        outputs = {it["name"]: it["data"] for it in response.json()["outputs"]}
        numbers = outputs.get("probabilities") or outputs.get("interval", [])
        found.append((*(outputs.get("label") or outputs["value"]), *numbers))
    assert found == singles


def test_a_csv_file(world: World, client: TestClient, singles: list[Answer]) -> None:
    """The raw table as it is, with the text of every cell: cast by the server itself."""
    content = world.source.read_bytes()
    response = client.post(f"/predict/{world.task}/csv", content=content, headers=CSV)
    assert response.headers["X-Bad-Rows"] == "0"
    assert of_csv(response.text) == singles


def test_a_parquet_file(
    world: World, client: TestClient, singles: list[Answer], tmp_path: Path
) -> None:
    content = world.write_parquet(tmp_path / "in.parquet").read_bytes()
    response = client.post(f"/predict/{world.task}/parquet", content=content, headers=PARQUET)
    assert of_parquet(response.content) == singles


def test_a_batch_of_csv(world: World, singles: list[Answer], tmp_path: Path) -> None:
    assert of_csv(run_batch(world, world.source, tmp_path / "out.csv").decode()) == singles


def test_a_batch_of_parquet(world: World, singles: list[Answer], tmp_path: Path) -> None:
    source = world.write_parquet(tmp_path / "in.parquet")
    assert of_parquet(run_batch(world, source, tmp_path / "out.parquet")) == singles


def test_the_trained_pipeline(world: World, singles: list[Answer]) -> None:
    schema = read_schema(world.root / "data/prepared" / world.task)
    champion = world.root / "data/evaluated" / world.task / "champion.joblib"
    trained = predict(load_pipeline(champion), encode(world.frame, schema), schema)
    served = np.array([answer[1:] if schema.labels else answer[0] for answer in singles])
    assert trained.shape == served.shape
    largest = np.max(np.abs(trained - served) / np.maximum(1.0, np.abs(trained)))
    assert largest <= LARGEST
    assert not math.isnan(largest)
