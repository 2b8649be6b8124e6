"""What is predicted is written down whole, or dropped and counted; no answer waits or fails."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from serve.log import rotation, writer
from serve.log.reader import read_predictions
from tests.support.explained_models import write_explained_heart
from tests.support.serve_models import HEART_ROW, write_heart
from tests.support.serving import Load, clean_environment, samples, server_process, serving, value

Json = dict[str, Any]
ROWS = [HEART_ROW, {**HEART_ROW, "chol": 600, "age": 20}]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_heart(folder)
    return folder


def logged(models: Path, folder: Path, *bodies: Any, **settings: str) -> list[Json]:
    """Return what is in the log after these requests."""
    with serving(models, prediction_log=str(folder), **settings) as client:
        for body in bodies:
            assert client.post("/predict/heart", json=body).status_code == 200
    return list(read_predictions(folder))


def counted(client: TestClient, outcome: str) -> float:
    found = samples(client.get("/metrics").text)
    return value(found, "serve_prediction_log_rows_total", outcome=outcome) or 0.0


def wait_until(is_so: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_there_is_none_unless_it_is_asked_for(models: Path, tmp_path: Path) -> None:
    with serving(models) as client:
        assert client.app.shared.prediction_log is None  # type: ignore[attr-defined]
    assert not list(tmp_path.iterdir())


def test_each_row_is_a_line_with_what_was_sent_and_answered(models: Path, tmp_path: Path) -> None:
    headers = {"X-Request-ID": "find-me"}
    with serving(models, prediction_log=str(tmp_path)) as client:
        answer = client.post("/predict/heart", json=ROWS, headers=headers).json()
    found = list(read_predictions(tmp_path))
    assert [line["inputs"] for line in found] == ROWS
    assert [line["output"] for line in found] == answer["predictions"]
    for line in found:
        assert line["time"].endswith("+00:00")
        about = ("heart", answer["version"], "find-me")
        assert (line["task"], line["version"], line["request_id"]) == about


def test_every_route_is_logged(models: Path, tmp_path: Path) -> None:
    tensors = [
        {"name": "age", "shape": [1], "datatype": "INT64", "data": [63]},
        {"name": "sex", "shape": [1], "datatype": "INT64", "data": [1]},
    ]
    content = "age,sex,chol,smoker,visit,thal\n63,1,?,,,6\n630,1,?,,,6\n"
    with serving(models, prediction_log=str(tmp_path)) as client:
        client.post("/v2/models/heart/infer", json={"inputs": tensors})
        client.post("/predict/heart/csv", content=content, headers={"Content-Type": "text/csv"})
        client.post("/predict/heart", json={"age": 630, "sex": 1})  # refused: nothing to log
    found = [line["inputs"] for line in read_predictions(tmp_path)]
    empty = {"chol": None, "smoker": None, "visit": None}
    assert found[0]["age"] == found[1]["age"] == 63
    assert found[1:] == [{"age": 63, "sex": 1, **empty, "thal": 6}]


def test_hidden_columns_are_nowhere_in_it(models: Path, tmp_path: Path) -> None:
    found = logged(models, tmp_path, *ROWS, prediction_log_redact="chol,visit")
    for line in found:
        assert set(line["inputs"]) == set(HEART_ROW) - {"chol", "visit"}
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "600" not in text
    assert "233.5" not in text
    age, chol = found[1]["output"]["warnings"]
    assert chol == {"loc": ["body", "chol"], "type": "outside_training"}
    assert age["input"] == 20


def test_a_share_of_the_requests_is_kept(models: Path, tmp_path: Path) -> None:
    found = logged(models, tmp_path, *[HEART_ROW] * 400, prediction_log_share="0.25")
    assert 60 < len(found) < 140  # 100 expected, standard deviation 9


def test_files_turn_and_the_oldest_go(models: Path, tmp_path: Path) -> None:
    limits = {"prediction_log_bytes": "2000", "prediction_log_files": "3"}
    found = logged(models, tmp_path, *[[HEART_ROW] * 10] * 10, **limits)
    files = list(tmp_path.iterdir())
    assert len(files) == 3
    assert all(0 < path.stat().st_size <= 2000 for path in files)
    assert 0 < len(found) < 100


def test_a_file_that_another_process_writes_is_not_taken_away(models: Path, tmp_path: Path) -> None:
    limits = {"prediction_log_bytes": "1000", "prediction_log_files": "1"}
    other = rotation.RotatingFiles(tmp_path, 1000, 5)
    other.append([b'{"inputs": {}}\n'])
    logged(models, tmp_path, *[HEART_ROW] * 20, **limits)
    assert {"inputs": {}} in list(read_predictions(tmp_path))
    other.close()
    logged(models, tmp_path, HEART_ROW, **limits)
    assert {"inputs": {}} not in list(read_predictions(tmp_path))


def test_only_its_owner_may_read_it(models: Path, tmp_path: Path) -> None:
    logged(models, tmp_path / "log", HEART_ROW)
    (path,) = (tmp_path / "log").iterdir()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


# Faults


def test_a_folder_that_cannot_be_written_is_told_once(
    models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with serving(models, prediction_log=str(tmp_path / "file")) as client:
        for number in (1, 2, 3):
            assert client.post("/predict/heart", json=HEART_ROW).status_code == 200
            wait_until(lambda n=number: counted(client, "lost") == n)
    errors = [it for it in caplog.records if "prediction log cannot be written" in it.getMessage()]
    assert len(errors) == 1


class Disk:
    """Stands for `os` in the log: has room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, file: int, content: bytes) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        written = os.write(file, content[: self.room])
        self.room -= written
        return written


def test_a_disk_that_fills_up_leaves_whole_lines_and_is_used_again_when_it_has_room(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk(room=100)  # less than a line
    monkeypatch.setattr(rotation, "os", disk)
    with serving(models, prediction_log=str(tmp_path)) as client:
        for lost in (1, 2):
            assert client.post("/predict/heart", json=HEART_ROW).status_code == 200
            wait_until(lambda n=lost: counted(client, "lost") == n)
        disk.room = 10**6
        assert client.post("/predict/heart", json=HEART_ROW).status_code == 200
        wait_until(lambda: counted(client, "written") == 1)
    assert [line["inputs"] for line in read_predictions(tmp_path)] == [HEART_ROW]
    messages = [it.getMessage() for it in caplog.records if "prediction log" in it.getMessage()]
    assert len(messages) == 2
    assert messages[1] == "the prediction log can be written again"


def test_a_limit_of_the_system_leaves_whole_lines(models: Path, tmp_path: Path) -> None:
    """RLIMIT_FSIZE stops a real write in its middle, as a full disk does."""
    script = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "from tests.support.serve_models import HEART_ROW\n"
        "from tests.support.serving import serving\n"
        "from pathlib import Path\n"
        f"with serving(Path({str(models)!r}), prediction_log={str(tmp_path)!r}) as client:\n"
        "    for _ in range(3):\n"
        "        assert client.post('/predict', json=[HEART_ROW] * 7).status_code == 200\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], env=clean_environment(), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert all(json.loads(line) for line in content.splitlines())
    assert content.endswith(b"\n") or not content


def test_more_than_can_wait_is_dropped_and_counted(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_WAITING", 3)
    monkeypatch.setattr(writer, "PAUSE", 60.0)
    with serving(models, prediction_log=str(tmp_path)) as client:
        for _ in range(5):
            assert client.post("/predict/heart", json=HEART_ROW).status_code == 200
        assert counted(client, "dropped") == 2
    assert len(list(read_predictions(tmp_path))) == 3


def test_large_requests_are_dropped_before_they_fill_the_memory(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_BYTES", 1000)
    with serving(models, prediction_log=str(tmp_path)) as client:
        client.post("/predict/heart", json=[HEART_ROW] * 50)
        assert counted(client, "dropped") == 1


def test_kill_leaves_nothing_that_a_reader_cannot_pass_over(models: Path, tmp_path: Path) -> None:
    folder, answered = tmp_path / "log", 0
    for _ in range(3):
        with server_process(models, prediction_log=str(folder), workers="1") as server:
            with Load(f"{server.url}/predict/heart", HEART_ROW, clients=4) as load:
                wait_until(lambda: len(load.answered) > 300)
                server.process.send_signal(signal.SIGKILL)
            answered += len(load.answered)
    found = list(read_predictions(folder))
    assert 0 < len(found) <= answered + 3 * 4  # some were under way
    assert all(line["inputs"] == HEART_ROW for line in found)
    assert len(list(folder.iterdir())) == 3


def test_a_torn_line_is_passed_over(models: Path, tmp_path: Path) -> None:
    logged(models, tmp_path, HEART_ROW)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes() * 2 + path.read_bytes()[:-20])
    logged(models, tmp_path, HEART_ROW)  # another process, another file
    assert len(list(read_predictions(tmp_path))) == 3


def test_each_worker_has_a_file_of_its_own(models: Path, tmp_path: Path) -> None:
    with server_process(models, prediction_log=str(tmp_path), workers="2") as server:
        deadline = time.monotonic() + 30
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            httpx.post(f"{server.url}/predict/heart", json=HEART_ROW)
    pids = {path.stem.rpartition("-")[2] for path in tmp_path.iterdir()}
    assert len(pids) == 2


def test_a_reader_loads_nothing_of_the_server_nor_of_training() -> None:
    script = "import sys, serve.log.reader; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "json" in loaded
    assert not loaded & {"fastapi", "starlette", "sklearn", "torch", "pandas", "onnxruntime"}


# What was written stays


def write_lines(files: rotation.RotatingFiles, *names: str) -> int:
    written, _ = files.append([b'{"inputs": {"name": "%s"}}\n' % name.encode() for name in names])
    return written


def read_names(folder: Path) -> list[str]:
    return [str(line["inputs"]["name"]) for line in read_predictions(folder)]


def test_a_full_disk_takes_nothing_away_that_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = len(b'{"inputs": {"name": "a"}}\n')
    files = rotation.RotatingFiles(tmp_path, max_bytes=line, max_files=3)  # a line a file
    assert [write_lines(files, name) for name in "abcd"] == [1, 1, 1, 1]
    monkeypatch.setattr(rotation, "os", Disk(room=0))
    assert [write_lines(files, "lost") for _ in range(20)] == [0] * 20
    assert read_names(tmp_path) == ["b", "c", "d"]
    monkeypatch.undo()
    assert write_lines(files, "e") == 1
    files.close()
    assert read_names(tmp_path) == ["c", "d", "e"]
    assert len(list(tmp_path.iterdir())) == 3


def test_lines_before_the_one_that_a_full_disk_tore_stay_and_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = len(b'{"inputs": {"name": "a"}}\n')
    files = rotation.RotatingFiles(tmp_path, max_bytes=1000, max_files=3)
    monkeypatch.setattr(rotation, "os", Disk(room=2 * line + 5))
    assert write_lines(files, *"abcd") == 2
    monkeypatch.undo()
    assert write_lines(files, "e") == 1
    assert read_names(tmp_path) == ["a", "b", "e"]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_clock_that_is_set_back_changes_no_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = len(b'{"inputs": {"name": "a"}}\n')
    files = rotation.RotatingFiles(tmp_path, max_bytes=line, max_files=2)
    for moment, name in zip((9_000, 3_000, 1_000, 5_000), "abcd", strict=True):
        monkeypatch.setattr(rotation.time, "time_ns", lambda moment=moment: moment)
        write_lines(files, name)
    assert read_names(tmp_path) == ["c", "d"]


def test_lines_after_the_file_was_removed_go_to_another(tmp_path: Path) -> None:
    files = rotation.RotatingFiles(tmp_path, max_bytes=1000, max_files=2)
    write_lines(files, "a")
    (path,) = tmp_path.iterdir()
    path.unlink()
    write_lines(files, "b")
    assert read_names(tmp_path) == ["b"]


def test_a_file_that_is_not_the_logs_is_neither_read_nor_taken_away(tmp_path: Path) -> None:
    other = tmp_path / "export.jsonl"
    other.write_text('{"inputs": {"name": "mine"}}\n')
    files = rotation.RotatingFiles(tmp_path, max_bytes=10, max_files=1)
    for name in "abc":
        write_lines(files, name)
    assert (read_names(tmp_path), other.exists()) == (["c"], True)


def test_explanations_are_logged_and_counted(tmp_path: Path) -> None:
    write_explained_heart(tmp_path / "models")
    with serving(tmp_path / "models", prediction_log=str(tmp_path / "log")) as client:
        answer = client.post("/explain/heart", json=ROWS).json()
        found = samples(client.get("/metrics").text)
    labels = {"task": "heart", "version": answer["version"], "label": "ill"}
    assert value(found, "serve_predictions_total", **labels) == 2
    logged_rows = list(read_predictions(tmp_path / "log"))
    assert [line["inputs"] for line in logged_rows] == ROWS
    predictions = [item["prediction"] for item in answer["explanations"]]
    assert [line["output"] for line in logged_rows] == predictions


def test_a_body_of_several_lines_is_one_line_of_the_log(models: Path, tmp_path: Path) -> None:
    bodies = [json.dumps(ROWS, indent=2), f"\ufeff{json.dumps(HEART_ROW)}", f" {json.dumps(ROWS)}"]
    kind = {"Content-Type": "application/json"}
    with serving(models, prediction_log=str(tmp_path)) as client:
        for body in bodies:
            sent = body.replace("\n", "\r\n").encode()
            assert client.post("/predict/heart", content=sent, headers=kind).status_code == 200
    assert [line["inputs"] for line in read_predictions(tmp_path)] == [*ROWS, HEART_ROW, *ROWS]


def test_a_request_that_cannot_be_logged_costs_no_other(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = writer.format_lines
    broken = iter([True, False])

    def format_lines(*args: Any) -> list[bytes]:
        if next(broken):
            raise ValueError("no such line")
        return usual(*args)

    monkeypatch.setattr(writer, "format_lines", format_lines)
    with serving(models, prediction_log=str(tmp_path)) as client:
        for number in (1, 2):
            client.post("/predict/heart", json={**HEART_ROW, "age": 40 + number})
        wait_until(lambda: counted(client, "written") == 1)
        assert counted(client, "lost") == 1
    assert [line["inputs"]["age"] for line in read_predictions(tmp_path)] == [42]
