"""The server as a process: its log, its end, its workers, its dependencies."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.support.environments import ROOT, find_distributions, link_distributions, read_group
from tests.support.serve_models import HEART_ROW
from tests.support.serving import Load, samples, server_process, value

# The log


def test_every_line_is_json_and_requests_are_not_logged(models: Path) -> None:
    with server_process(models) as server:
        httpx.post(f"{server.url}/predict/heart", json=HEART_ROW)
    assert len(server.log_lines()) == len(server.lines) > 0
    assert {"time", "level", "logger", "message"} <= set(server.log_lines()[0])
    assert not any(line.get("route") for line in server.log_lines())


def test_requests_are_logged_if_asked_for_without_any_value(models: Path) -> None:
    headers = {"X-Request-ID": "find-me"}
    with server_process(models, log_requests="true") as server:
        row = {**HEART_ROW, "age": 4321}
        httpx.post(f"{server.url}/predict/heart", json=row, headers=headers)
    (line,) = [line for line in server.log_lines() if line.get("request_id") == "find-me"]
    assert (line["route"], line["method"], line["status"]) == ("/predict/{task}", "POST", 422)
    assert line["milliseconds"] > 0
    assert "4321" not in server.log


FAILING = """
import serve.http.routes.predict
def answer(*_):
    raise RuntimeError("a value of the row: 4321")
serve.http.routes.predict.answer = answer
import serve.__main__
serve.__main__.main()
"""


@pytest.mark.parametrize("with_values", ["false", "true"])
def test_an_error_is_logged_with_its_request_and_no_value(
    models: Path, tmp_path: Path, with_values: str
) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    command = ("failing",)
    settings = {"log_values": with_values}
    previous = os.environ.get("PYTHONPATH", "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}{os.pathsep}{previous}")
        with server_process(models, *command, **settings) as server:
            response = httpx.post(f"{server.url}/predict/heart", json=HEART_ROW)
    assert response.status_code == 500
    assert response.json() == {"detail": "the server failed; its log has this X-Request-ID"}
    (line,) = [line for line in server.log_lines() if "error" in line]
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert line["error"]["type"] == "RuntimeError"
    assert re.search(r"failing\.py:\d+ answer$", line["error"]["trace"][-1])
    assert ("4321" in server.log) == (with_values == "true")


PATHS = (
    *("*", "//", "predict", "http://x/predict", "/" + "a" * 9000),
    *("/predict/", "/predict//", "/predict/%ff", "/predict/%00", "/predict/\xff"),
    *("/predict/heart/", "/predict/heart/more"),
)


def test_no_path_makes_the_server_fail(models: Path) -> None:
    with server_process(models) as server:
        for method in ("POST", "GET", "OPTIONS", "HEAD", "PUT"):
            for path in PATHS:
                head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                with socket.create_connection(("127.0.0.1", server.port), 10) as client:
                    client.sendall(f"{head}Content-Length: 2\r\n\r\n{{}}".encode("latin-1"))
                    status = int(client.recv(100).split()[1])
                assert status in (400, 404, 405), (method, path)


# Its end


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_request_is_lost_when_the_server_is_told_to_stop(models: Path, workers: str) -> None:
    with (
        server_process(models, workers=workers) as server,
        Load(f"{server.url}/predict/heart", HEART_ROW, clients=8) as load,
    ):
        while len(load.answered) < 200:
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) in (0, -signal.SIGTERM)
    assert not load.lost
    assert set(load.answered) == {200}


def test_a_request_under_way_is_answered(models: Path) -> None:
    with server_process(models) as server:

        def slowly() -> "object":
            body = json.dumps(HEART_ROW).encode()
            yield body[:20]
            server.process.send_signal(signal.SIGTERM)
            time.sleep(1.0)
            yield body[20:]

        headers = {"Content-Type": "application/json"}
        response = httpx.post(f"{server.url}/predict/heart", content=slowly(), headers=headers)
        assert response.status_code == 200
        assert response.headers["Connection"] == "close"
        server.process.wait(20)


# Workers


def merged_count(url: str) -> float:
    found = samples(httpx.get(f"{url}/metrics").text)
    labels = {"method": "POST", "route": "/predict/{task}", "status": "200"}
    return value(found, "serve_requests_total", **labels) or 0.0


def test_workers_share_the_port_and_their_counts(models: Path) -> None:
    with server_process(models, workers="2") as server:
        with Load(f"{server.url}/predict/heart", HEART_ROW, clients=8) as load:
            while len(load.answered) < 500:
                time.sleep(0.01)
        assert merged_count(server.url) == len(load.answered)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="workers are found in /proc")
def test_a_killed_worker_takes_neither_the_others_nor_its_counts_along(models: Path) -> None:
    with server_process(models, workers="2") as server:
        for _ in range(40):
            httpx.post(f"{server.url}/predict/heart", json=HEART_ROW)
        workers = server.workers()
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        for _ in range(40):
            httpx.post(f"{server.url}/predict/heart", json=HEART_ROW)
        assert merged_count(server.url) == 80


# Its dependencies


def test_the_service_runs_with_its_own_dependencies_alone(models: Path, tmp_path: Path) -> None:
    names = find_distributions(read_group("serve"))
    forbidden = {
        "pandas",
        "scikit-learn",
        "scipy",
        "torch",
        "mlflow",
        "xgboost",
        "lightgbm",
        "onnx",
    }
    assert not names & forbidden
    link_distributions(names, tmp_path)
    script = (
        f"import sys; sys.path += [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        "import serve.__main__, serve.http.keys, serve.http.app\n"
        "from serve.http.catalog import load_catalog\n"
        f"models = load_catalog(serve.http.app.Settings(models_dir={str(models)!r})).loaded\n"
        f"print(models['heart'].predict_one({HEART_ROW!r})['label'])\n"
        "from serve.http.metrics.exposition import render\n"
        "print(serve.http.app.app.openapi()['info'] and len(render([], '')[0]) > 0)\n"
    )
    command = [sys.executable, "-I", "-S", "-c", script]  # without site-packages
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["ill", "True"]
