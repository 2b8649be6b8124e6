"""What the server counts, alone and over several workers."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serve.http.metrics.cells import CELLS, SharedMemory
from serve.http.metrics.exposition import render
from serve.http.metrics.meters import BUCKETS, FAMILIES, Telemetry
from serve.runtime.manifest_file import read_manifest
from tests.support.serve_models import HEART_ROW, HOUSING_ROW, write_heart, write_housing
from tests.support.serving import Samples, samples, serving, value


def shown(telemetry: Telemetry) -> Samples:
    return samples(render(telemetry.memory.workers(), "")[0].decode())


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_heart(tmp_path)
    write_housing(tmp_path)
    return tmp_path


@pytest.fixture
def client(models: Path) -> Iterator[TestClient]:
    with serving(models, default="heart") as client:
        yield client


def metrics(client: TestClient) -> Samples:
    response = client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    return samples(response.text)


def test_requests_are_counted_by_route_and_status(client: TestClient) -> None:
    for body in (HEART_ROW, HEART_ROW, {}):
        client.post("/predict/heart", json=body)
    client.post("/predict", json=HEART_ROW)
    client.post("/predict/wine", json={})
    client.get("/model/info/heart")
    for path in ("/nowhere", "/nowhere/else"):
        client.get(path)
    found = metrics(client)
    task = {"method": "POST", "route": "/predict/{task}"}
    expected = {
        ("POST", "/predict/{task}", "200"): 2,
        ("POST", "/predict/{task}", "422"): 1,
        ("POST", "/predict/{task}", "404"): 1,
        ("POST", "/predict", "200"): 1,
        ("GET", "/model/info/{task}", "200"): 1,
        ("GET", "none", "404"): 2,  # whatever clients ask for, it is one series
    }
    counted = {
        tuple(dict(labels)[name] for name in ("method", "route", "status")): number
        for (name, labels), number in found.items()
        if name == "serve_requests_total"
    }
    assert counted == expected
    assert value(found, "serve_request_seconds_count", **task) == 4


def test_rows_are_counted_by_version_and_class(client: TestClient, models: Path) -> None:
    version = read_manifest(models / "heart").version
    client.post("/predict/heart", json=[HEART_ROW, {**HEART_ROW, "age": 20}])
    client.post("/predict/housing", json=HOUSING_ROW)
    found = metrics(client)
    heart = {"task": "heart", "version": version}
    assert value(found, "serve_predictions_total", label="ill", **heart) == 2
    assert value(found, "serve_warnings_total", task="heart", type="outside_training") == 1
    housing = {"task": "housing", "version": read_manifest(models / "housing").version}
    assert value(found, "serve_predictions_total", label="", **housing) == 1
    assert value(found, "serve_inference_seconds_count", **heart) == 1  # a request, not a row


def test_inference_is_a_part_of_the_total(client: TestClient) -> None:
    client.post("/predict", json=HEART_ROW)
    found = metrics(client)
    inference = sum(v for (name, _), v in found.items() if name == "serve_inference_seconds_sum")
    total = value(found, "serve_request_seconds_sum", method="POST", route="/predict")
    assert total is not None
    assert 0 < inference < total


def test_models_and_the_process_are_described(client: TestClient, models: Path) -> None:
    manifest = read_manifest(models / "heart")
    about = {"task": "heart", "version": manifest.version, "sha256": manifest.model.sha256}
    found = metrics(client)
    assert value(found, "serve_model_info", model="linear", **about) == 1
    assert value(found, "serve_requests_in_flight") == 1  # this one
    if Path("/proc/self/stat").exists():
        resident = value(found, "process_resident_memory_bytes")
        assert resident is not None
        assert resident > 10e6


def test_openmetrics_is_answered_to_whom_it_suits(client: TestClient) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    response = client.get("/metrics", headers=accept)
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def test_a_histogram_is_cumulative_and_ends_with_all() -> None:
    telemetry = Telemetry()
    for seconds in (BUCKETS[0], BUCKETS[0] * 1.01, 1e9):
        telemetry.count_request("GET", "/x", 200, seconds)
    found, labels = shown(telemetry), {"method": "GET", "route": "/x"}
    name = "serve_request_seconds_bucket"
    assert value(found, name, le=repr(BUCKETS[0]), **labels) == 1  # a bound counts itself
    assert value(found, name, le=repr(BUCKETS[1]), **labels) == 2
    assert value(found, name, le=repr(BUCKETS[-1]), **labels) == 2
    assert value(found, name, le="+Inf", **labels) == 3
    assert value(found, "serve_request_seconds_count", **labels) == 3


def test_labels_are_escaped() -> None:
    telemetry = Telemetry()
    telemetry.cell("serve_warnings", 'a"b\\c\nd', "kind").add()
    assert value(shown(telemetry), "serve_warnings_total", task='a"b\\c\nd', type="kind") == 1


def test_every_metric_is_explained() -> None:
    text = render(Telemetry().memory.workers(), "")[0].decode()
    assert all(f"# HELP {name}" in text for name in FAMILIES)


# Several workers

OTHER = """
import os, sys, time
from pathlib import Path
from serve.http.metrics.meters import Telemetry
telemetry = Telemetry(Path(sys.argv[1]))
for number in range(700):
    telemetry.cell("serve_warnings", f"task {number}", "kind").add(number)
telemetry.in_flight.add(3)
print("ready", flush=True)
sys.stdin.read()
if sys.argv[2] == "close":
    telemetry.memory.close()
"""


def start_other(folder: Path, end: str = "die") -> Any:
    command = [sys.executable, "-c", OTHER, str(folder), end]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout
    assert other.stdout.readline() == "ready\n"
    return other


def test_what_workers_count_is_added_up(tmp_path: Path) -> None:
    telemetry = Telemetry(tmp_path / "shared")
    telemetry.cell("serve_warnings", "task 600", "kind").add(5)
    telemetry.in_flight.add()
    other = start_other(tmp_path / "shared")
    found = shown(telemetry)
    assert CELLS < 700  # so the other worker has begun a second page
    assert value(found, "serve_warnings_total", task="task 600", type="kind") == 605
    assert value(found, "serve_requests_in_flight") == 4
    other.kill()  # -9: what it has counted stays, what it had under way does not
    other.wait()
    found = shown(telemetry)
    assert value(found, "serve_warnings_total", task="task 600", type="kind") == 605
    assert value(found, "serve_requests_in_flight") == 1


def test_the_last_worker_takes_the_folder_away(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    telemetry = Telemetry(shared)
    other = start_other(shared, end="close")
    other.communicate("")
    assert shared.exists()
    telemetry.memory.close()
    assert not shared.exists()


def test_a_pid_that_comes_again_takes_nothing_over(tmp_path: Path) -> None:
    first, second = SharedMemory(tmp_path), SharedMemory(tmp_path)
    first.cell(("serve_warnings", "a", "b")).add(2)
    second.cell(("serve_warnings", "c", "d")).add(3)
    values = [worker.values for worker in first.workers()]
    assert sorted(map(list, values)) == [
        [("serve_warnings", "a", "b")],
        [("serve_warnings", "c", "d")],
    ]
    assert {worker.pid for worker in first.workers()} == {os.getpid()}


def test_a_folder_of_somebody_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(PermissionError, match="SERVE_METRICS_DIR"):
        SharedMemory(tmp_path)


def test_threads_that_need_a_cell_at_once_get_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry = Telemetry()
    make, threads = telemetry.memory.cell, 8
    barrier, found = threading.Barrier(threads), list[Any]()

    def make_slowly(key: Any) -> Any:
        time.sleep(0.01)  # others ask meanwhile
        return make(key)

    def ask(number: int) -> None:
        barrier.wait()
        found.append(telemetry.cell("serve_requests", "GET", str(number % 2), "200"))

    monkeypatch.setattr(telemetry.memory, "cell", make_slowly)
    asking = [threading.Thread(target=ask, args=(number,)) for number in range(threads)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len({id(cell) for cell in found}) == 2
    for cell in found:
        cell.add()
    numbers = shown(telemetry)
    for route in ("0", "1"):
        labels = {"method": "GET", "route": route, "status": "200"}
        assert value(numbers, "serve_requests_total", **labels) == threads / 2


def test_counts_are_made_on_the_event_loop_alone(client: TestClient) -> None:
    telemetry = client.app.shared.telemetry  # type: ignore[attr-defined]
    count, threads = telemetry.count_predictions, set[int]()

    def note_thread(*args: Any) -> None:
        threads.add(threading.get_ident())
        count(*args)

    telemetry.count_predictions = note_thread
    client.post("/predict/heart", json=HEART_ROW)
    inputs = [
        {"name": "age", "shape": [1], "datatype": "INT64", "data": [63]},
        {"name": "sex", "shape": [1], "datatype": "INT64", "data": [1]},
    ]
    kind = {"Content-Type": "text/csv"}
    table = "age,sex,chol,smoker,visit,thal\n63,1,?,,,6\n"
    assert client.post("/v2/models/heart/infer", json={"inputs": inputs}).status_code == 200
    assert client.post("/predict/heart/csv", content=table, headers=kind).status_code == 200
    assert len(threads) == 1
