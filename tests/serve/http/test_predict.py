"""The HTTP service: answers equal to the graph's, errors that a client can act on."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.http.settings import Settings
from serve.runtime.encode import MAX_FINDINGS, Encoder
from serve.runtime.manifest_file import read_manifest
from tests.support.serve_models import (
    HEART,
    HEART_ROW,
    HEART_VECTOR,
    HEART_WEIGHTS,
    HOUSING_ROW,
    softmax,
    write_heart,
    write_housing,
    write_wide,
)
from tests.support.serving import server_process, serving

Json = dict[str, Any]
MAX_BYTES, MAX_ROWS = Settings().max_body_bytes, Settings().max_rows
SMALL_RISK = {"age": 18, "sex": 1, "chol": 80, "smoker": False, "visit": "2026-11-21", "thal": 3}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_heart(folder)
    write_housing(folder)
    write_wide(folder)
    return folder


def only_answer(response: httpx.Response) -> Json:
    assert response.status_code == 200, response.text
    (answer,) = response.json()["predictions"]
    return dict(answer)


def findings(response: httpx.Response) -> list[Json]:
    assert response.status_code == 422, response.text
    return list(response.json()["detail"])


def raw_output(models: Path, task: str, vector: list[float]) -> list[float]:
    (path,) = (models / task).glob("*.onnx")
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"X": np.array([vector])})[0].ravel())


# Answers


def test_probabilities_are_exactly_what_the_graph_gives(client: TestClient, models: Path) -> None:
    answer = only_answer(client.post("/predict/heart", json=HEART_ROW))
    assert list(answer["probabilities"].values()) == raw_output(models, "heart", HEART_VECTOR)


def test_probabilities_are_those_of_the_formula(client: TestClient) -> None:
    answer = only_answer(client.post("/predict/heart", json=HEART_ROW))
    expected = softmax(np.array(HEART_VECTOR) @ HEART_WEIGHTS)
    assert list(answer["probabilities"]) == ["healthy", "ill"]
    assert list(answer["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-12)


def test_the_threshold_decides_between_two_classes(client: TestClient) -> None:
    answer = only_answer(client.post("/predict/heart", json=SMALL_RISK))
    assert 0.3 <= answer["probabilities"]["ill"] < 0.5
    assert answer["label"] == "ill"  # the manifest's threshold is 0.3
    below = only_answer(client.post("/predict/heart", json={**SMALL_RISK, "sex": 0}))
    assert below["probabilities"]["ill"] < 0.3
    assert below["label"] == "healthy"


def test_without_a_threshold_the_most_probable_class_is_answered(client: TestClient) -> None:
    row = {f"x{i}": (i % 5) / 5 for i in range(33)}
    answer = only_answer(client.post("/predict/wide", json=row))
    assert answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)


def test_a_value_comes_with_its_interval_and_unit(client: TestClient) -> None:
    answer = only_answer(client.post("/predict/housing", json=HOUSING_ROW))
    assert answer == {
        "value": 3.5 * 40_000 - 50_000,
        "interval": [65_000.0, 115_000.0],
        "unit": "US dollars of 1990",
        "warnings": [],
    }


def test_every_response_says_which_model_answered(client: TestClient, models: Path) -> None:
    manifest = read_manifest(models / "heart")
    answer = client.post("/predict/heart", json=HEART_ROW).json()
    del answer["predictions"], answer["request_id"]
    expected = {"task": "heart", "model": "linear", "version": manifest.version}
    assert answer == {**expected, "sha256": manifest.model.sha256}


def test_a_row_is_answered_alike_alone_and_in_a_list(client: TestClient) -> None:
    numbers = np.random.default_rng(3).normal(size=(40, 33))
    rows = [{f"x{i}": value for i, value in enumerate(row)} for row in numbers.tolist()]
    alone = [only_answer(client.post("/predict/wide", json=row)) for row in rows]
    assert client.post("/predict/wide", json=rows).json()["predictions"] == alone


def test_a_missing_key_is_null(client: TestClient) -> None:
    without = {key: value for key, value in HEART_ROW.items() if key != "chol"}
    answer = only_answer(client.post("/predict/heart", json=without))
    assert answer == only_answer(client.post("/predict/heart", json={**HEART_ROW, "chol": None}))
    assert answer != only_answer(client.post("/predict/heart", json=HEART_ROW))


def test_plain_predict_is_the_default_tasks(client: TestClient) -> None:
    assert client.post("/predict", json=HEART_ROW).json()["task"] == "heart"


def test_outside_training_is_answered_and_flagged(client: TestClient) -> None:
    rows = [HEART_ROW, {**HEART_ROW, "chol": 600, "age": 20}]
    first, second = client.post("/predict/heart", json=rows).json()["predictions"]
    assert first["warnings"] == []
    assert second["warnings"] == [
        {
            "loc": ["body", 1, "age"],
            "msg": "20 is outside the values trained on, from 29 to 77 (years)",
            "type": "outside_training",
            "input": 20,
        },
        {
            "loc": ["body", 1, "chol"],
            "msg": "600 is outside the values trained on, from 126 to 564 (mg/dl)",
            "type": "outside_training",
            "input": 600,
        },
    ]


def test_an_unseen_category_is_answered_and_flagged_if_the_contract_says_so(
    tmp_path: Path,
) -> None:
    columns = [{**item, "unseen": "flag"} if item["name"] == "thal" else item for item in HEART]
    write_heart(tmp_path, columns=columns)
    row = {**HEART_ROW, "thal": "\ud800 new"}
    with serving(tmp_path) as client:
        answer = only_answer(client.post("/predict", content=json.dumps(row), headers=JSON_KIND))
        (finding,) = findings(client.post("/predict", json={**HEART_ROW, "thal": True}))
    unknown = [*HEART_VECTOR[:5], -1.0]
    assert list(answer["probabilities"].values()) == raw_output(tmp_path, "heart", unknown)
    (warning,) = answer["warnings"]
    assert (warning["loc"], warning["type"]) == (["body", "thal"], "unknown_category")
    message = "is none of the values trained on: answered as unknown"
    assert (warning["msg"], warning["input"]) == (f'the text "\ud800 new" {message}', "\ud800 new")
    expected = "expected one of 3, 6, 7, or another, which counts as unknown, or null"
    assert finding["msg"] == f"{expected}, got the boolean true"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86_400.0),
        ("1970-01-01T00:00:01", 1.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1969-12-31 23:59:59.500000Z", -0.5),
        ("0001-01-01T00:00:00+23:59", -62_135_596_800.0 - (24 * 60 - 1) * 60),
    ],
)
def test_a_date_is_seconds_since_1970_in_utc(text: str, seconds: float, models: Path) -> None:
    encoder = Encoder(read_manifest(models / "heart").columns)
    vector, _ = encoder.encode(["body"], {**HEART_ROW, "visit": text})
    assert vector[4] == seconds


# Values that do not fit


AGE = "an integer from 18 to 100 (years)"
CHOL = "a number from 80 to 700 (mg/dl), or null"
UNKNOWN = "unknown_category"


@pytest.mark.parametrize(
    ("column", "value", "kind", "expected", "got"),
    [
        ("chol", "233", "wrong_type", CHOL, 'the text "233"'),
        ("chol", True, "wrong_type", CHOL, "the boolean true"),
        ("chol", [233], "wrong_type", CHOL, "a list"),
        ("chol", 999, "out_of_range", CHOL, "999"),
        ("chol", 79.9, "out_of_range", CHOL, "79.9"),
        ("age", 20.5, "wrong_type", AGE, "20.5"),
        ("age", None, "null", AGE, "null"),
        ("age", {"years": 3}, "wrong_type", AGE, "an object"),
        ("sex", True, "wrong_type", "one of 0, 1", "the boolean true"),
        ("sex", "1", UNKNOWN, "one of 0, 1", 'the text "1"'),
        ("thal", 5, UNKNOWN, "one of 3, 6, 7, or null", "5"),
        ("smoker", 1, "wrong_type", "true or false, or null", "1"),
        ("smoker", "true", "wrong_type", "true or false, or null", 'the text "true"'),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    client: TestClient, column: str, value: object, kind: str, expected: str, got: str
) -> None:
    (finding,) = findings(client.post("/predict/heart", json={**HEART_ROW, column: value}))
    assert finding["loc"] == ["body", column]
    assert (finding["type"], finding["msg"]) == (kind, f"expected {expected}, got {got}")


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-02-30", "2026-11-21T25:00:00", "\uff12026-11-21", ""]
)
def test_a_date_that_is_none_is_refused(client: TestClient, text: str) -> None:
    (finding,) = findings(client.post("/predict/heart", json={**HEART_ROW, "visit": text}))
    assert finding["loc"] == ["body", "visit"]
    assert 'such as "2026-11-21" or "2026-11-21T08:30:00Z"' in finding["msg"]


@pytest.mark.parametrize(
    ("literal", "seen"),
    [("NaN", "nan"), ("Infinity", "inf"), ("-1e999", "-inf"), ("9" * 5000, "inf")],
)
def test_a_number_that_is_not_finite_is_refused(
    client: TestClient, literal: str, seen: str
) -> None:
    body = json.dumps(HEART_ROW).replace("233.5", literal)
    (finding,) = findings(post(client, body))
    assert finding["loc"] == ["body", "chol"]
    assert (finding["type"], finding["input"]) == ("not_finite", seen)


def test_a_whole_float_is_the_integer_that_json_means(client: TestClient) -> None:
    whole = {**HEART_ROW, "age": 63.0, "sex": 1.0}
    assert only_answer(client.post("/predict/heart", json=whole)) == only_answer(
        client.post("/predict/heart", json=HEART_ROW)
    )


def test_all_errors_of_a_request_come_at_once(client: TestClient) -> None:
    rows = [HEART_ROW, {**HEART_ROW, "chol": "x", "age": 3}, 7, {**HEART_ROW, "sexx": 1}]
    found = findings(client.post("/predict/heart", json=rows))
    assert [(item["loc"], item["type"]) for item in found] == [
        (["body", 1, "age"], "out_of_range"),
        (["body", 1, "chol"], "wrong_type"),
        (["body", 2], "wrong_type"),
        (["body", 3, "sexx"], "unknown_key"),
    ]
    assert found[3]["msg"] == "there is no such column: did you mean sex?"


def test_an_absent_key_is_called_missing(client: TestClient) -> None:
    (finding,) = findings(client.post("/predict/heart", json={"sex": 1}))
    assert finding["type"] == "missing"
    message = "expected an integer from 18 to 100 (years), but the key is missing"
    assert finding["msg"] == message


def test_an_unknown_key_unlike_any_column_lists_them(client: TestClient) -> None:
    (finding,) = findings(client.post("/predict/heart", json={**HEART_ROW, "weight": 80}))
    expected = "there is no such column: the columns are age, sex, chol, smoker, visit, thal"
    assert (finding["msg"], finding["input"]) == (expected, 80)


def test_a_repeated_key_is_refused(client: TestClient) -> None:
    body = json.dumps(HEART_ROW).replace('"age": 63', '"age": 63, "age": 36')
    (finding,) = findings(post(client, f"[{body}]"))
    assert (finding["loc"], finding["type"]) == (["body", 0, "age"], "repeated_key")


def test_what_a_client_sent_is_cut_in_the_answer(client: TestClient) -> None:
    row = {**HEART_ROW, "chol": "x" * 100_000, "k" * 100_000: 1, "age": [[0] * 1000]}
    response = client.post("/predict/heart", json=row)
    assert len(findings(response)) == 3
    assert len(response.content) < 2_000


def test_a_lone_surrogate_breaks_no_answer(client: TestClient) -> None:
    body = r'{"\ud800": 1, "chol": "\udfff"}'
    assert post(client, body).status_code == 422


def test_the_number_of_errors_is_limited_and_says_so(client: TestClient) -> None:
    found = findings(client.post("/predict/heart", json=[{}] * MAX_ROWS))
    assert len(found) == MAX_FINDINGS + 1
    assert found[-1]["msg"] == "these are the first 1,000 errors: there are more"


def test_numbers_too_large_for_the_model_are_refused(client: TestClient) -> None:
    row = {f"x{i}": 1e308 for i in range(33)}
    (finding,) = findings(client.post("/predict/wide", json=row))
    assert finding["type"] == "no_answer"


# Requests that are none


SEND = "send one row as a JSON object, or a list of rows"
JSON_KIND = {"Content-Type": "application/json"}
KIND = "is not accepted: send Content-Type: application/json"
UTF8 = "is not accepted: send UTF-8"
PLAIN = "is not accepted: send it plain"


def post(client: TestClient, body: str | bytes, kind: str = "application/json") -> httpx.Response:
    return client.post("/predict/heart", content=body, headers={"Content-Type": kind})


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("", 400, f"the body is empty: {SEND}"),
        ("  \n", 400, f"the body is empty: {SEND}"),
        ('{"age": 63', 400, "the body is not JSON: Expecting ',' delimiter at line 1, column 11"),
        ("age=63", 400, "the body is not JSON: Expecting value at line 1, column 1"),
        (b'{"age": "\xff"}', 400, "the body is not UTF-8: byte 0xff at position 9"),
        ("[" * 100_000, 400, f"the body is nested too deeply: {SEND}"),
        (json.dumps([1] * (MAX_ROWS + 1)), 413, "10,001 rows: a request takes at most 10,000"),
        (" " * (MAX_BYTES + 1), 413, "the body is larger than 16,777,216 bytes: send fewer rows"),
    ],
    ids=["empty", "blank", "unclosed", "form", "latin", "deep", "rows", "bytes"],
)
def test_a_body_that_cannot_be_read_is_refused(
    client: TestClient, body: str | bytes, status: int, message: str
) -> None:
    response = post(client, body)
    assert (response.status_code, response.json()) == (status, {"detail": message})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[]", f"the list is empty: {SEND}"),
        ("3", "expected an object with a key for each column, got 3"),
        ("null", "expected an object with a key for each column, got null"),
        ("NaN", "expected an object with a key for each column, got NaN, which JSON does not have"),
    ],
)
def test_a_body_without_rows_is_refused(client: TestClient, body: str, message: str) -> None:
    (finding,) = findings(post(client, body))
    assert (finding["loc"], finding["msg"]) == (["body"], message)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Content-Type": "text/plain"}, f"Content-Type 'text/plain' {KIND}"),
        ({}, f"a request without Content-Type {KIND}"),
        ({"Content-Type": "application/json; charset=latin-1"}, f"charset 'latin-1' {UTF8}"),
        ({**JSON_KIND, "Content-Encoding": "gzip"}, f"Content-Encoding 'gzip' {PLAIN}"),
    ],
    ids=["kind", "none", "charset", "coding"],
)
def test_another_kind_of_body_is_refused(
    client: TestClient, headers: dict[str, str], message: str
) -> None:
    response = client.post("/predict/heart", content=json.dumps(HEART_ROW), headers=headers)
    assert (response.status_code, response.json()) == (415, {"detail": message})


def test_json_in_utf8_may_say_so_and_have_a_byte_order_mark(client: TestClient) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(HEART_ROW).encode()
    assert post(client, body, "application/json; charset=UTF-8").status_code == 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
rows = st.fixed_dictionaries({}, optional={item["name"]: json_values for item in HEART})


@settings(max_examples=200, deadline=None)
@given(body=st.binary() | (json_values | rows | st.lists(rows, max_size=3)).map(json.dumps))
def test_no_body_makes_the_server_fail(client: TestClient, body: str | bytes) -> None:
    assert post(client, body).status_code < 500


# Tasks, models and their state


def test_an_unknown_task_is_answered_with_the_known_ones(client: TestClient) -> None:
    response = client.post("/predict/wine", json={})
    paths = "/predict/heart or /predict/housing or /predict/wide"
    expected = f"there is no task 'wine': POST to {paths}"
    assert (response.status_code, response.json()) == (404, {"detail": expected})


def test_without_a_default_the_path_must_name_the_task(models: Path) -> None:
    with serving(models) as client:
        response = client.post("/predict", json=HEART_ROW)
    assert response.status_code == 404
    assert "name a task, none is the default" in response.json()["detail"]
    assert "/predict/heart" in response.json()["detail"]


def test_a_default_that_is_not_there_is_named(models: Path) -> None:
    with serving(models, default="hart") as client:
        response = client.post("/predict", json=HEART_ROW)
    assert response.status_code == 404
    assert "SERVE_DEFAULT_TASK is 'hart'" in response.json()["detail"]


def test_the_only_task_is_the_default(tmp_path: Path) -> None:
    write_housing(tmp_path)
    with serving(tmp_path) as client:
        assert client.post("/predict", json=HOUSING_ROW).json()["task"] == "housing"


def test_no_models_is_said_and_not_a_crash(tmp_path: Path) -> None:
    with serving(tmp_path / "none") as client:
        assert client.get("/health").json() == {"status": "ok"}
        for path in ("/predict", "/predict/heart"):
            response = client.post(path, json=HEART_ROW)
            assert response.status_code == 503
            assert "set MODELS_DIR" in response.json()["detail"]
        assert "set MODELS_DIR" in client.get("/model/info").json()["problem"]
        assert "/predict/{task}" in client.get("/openapi.json").json()["paths"]


def refusal_of_heart(models: Path) -> str:
    """Serve with a housing model beside; return why heart is refused."""
    write_housing(models)
    with serving(models) as client:
        assert client.post("/predict/housing", json=HOUSING_ROW).status_code == 200
        response = client.post("/predict/heart", json=HEART_ROW)
        plain = client.post("/predict", json=HOUSING_ROW)
        reason = client.get("/model/info").json()["refused"]["heart"]
    assert plain.status_code == 404  # a broken heart must not make housing the only task
    assert response.status_code == 503
    assert reason in response.json()["detail"]
    return str(reason)


def test_a_changed_onnx_file_is_refused(tmp_path: Path) -> None:
    folder = write_heart(tmp_path)
    (path,) = folder.glob("*.onnx")
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    reason = refusal_of_heart(tmp_path)
    assert path.name in reason
    assert "was changed after its export: its sha256 is" in reason


def test_a_model_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    write_heart(tmp_path, golden=[{"input": HEART_ROW, "output": [0.5, 0.5]}])
    assert "the manifest, which says [0.5, 0.5]" in refusal_of_heart(tmp_path)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    write_heart(tmp_path, content=b"no model at all")
    assert "fails in onnxruntime" in refusal_of_heart(tmp_path)


def test_a_graph_of_another_width_is_refused(tmp_path: Path) -> None:
    write_heart(tmp_path, columns=HEART[:-1])
    reason = refusal_of_heart(tmp_path)
    assert "[6]" in reason
    assert "says ('X', 'tensor(double)', [5]) in" in reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 1}, "has format 1; this server reads format 2"),
        ({"task": "lungs"}, "is of task 'lungs', not 'heart'"),
        ({"extra": 1}, "extra: Extra inputs are not permitted"),
        ({"columns": []}, "columns: "),
        ({"problem": "regression"}, "regression with 2 labels"),
        ({"golden": []}, "golden: "),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    tmp_path: Path, changes: Json, reason: str
) -> None:
    write_heart(tmp_path, **changes)
    assert reason in refusal_of_heart(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '"\\ud800"'])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (write_heart(tmp_path) / "manifest.json").write_text(content)
    assert "manifest.json cannot be used" in refusal_of_heart(tmp_path)


def test_a_manifest_that_was_edited_is_refused(tmp_path: Path) -> None:
    path = write_heart(tmp_path) / "manifest.json"
    path.write_text(path.read_text().replace('"threshold": 0.3', '"threshold": 0.9'))
    assert "manifest.json was changed after its export" in refusal_of_heart(tmp_path)


@pytest.mark.parametrize("name", ["manifest.json", "*.onnx"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    (path,) = write_heart(tmp_path).glob(name)
    path.unlink()
    assert f"{path.name} cannot be read: No such file" in refusal_of_heart(tmp_path)


def test_a_manifest_may_not_point_outside_its_folder(tmp_path: Path) -> None:
    folder = write_heart(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["model"]["file"] = "../other.onnx"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "model.file" in refusal_of_heart(tmp_path)


def test_model_info_tells_all_but_the_golden_rows(client: TestClient, models: Path) -> None:
    manifest = json.loads((models / "heart" / "manifest.json").read_text())
    del manifest["golden"], manifest["format"]
    manifest["spelling"]["decimal_in"] = {}  # a manifest of before has none
    assert client.get("/model/info/heart").json() == manifest | {"registered": None}


def test_model_info_lists_every_model(client: TestClient) -> None:
    info = client.get("/model/info").json()
    assert [card["task"] for card in info["models"]] == ["heart", "housing", "wide"]
    assert (info["default"], info["refused"], info["problem"]) == ("heart", {}, None)


def test_model_info_of_an_unknown_task_is_404(client: TestClient) -> None:
    assert client.get("/model/info/wine").status_code == 404


# The real process


@pytest.mark.parametrize(
    "command",
    [("serve",), ("uvicorn", "serve.http.app:app", "--port", "PORT")],
    ids=["serve", "uvicorn"],
)
def test_a_real_server_answers(models: Path, command: tuple[str, ...]) -> None:
    with server_process(models, *command, default_task="heart") as server:
        url = server.url
        answer = httpx.post(f"{url}/predict", json=HEART_ROW)
        refused = httpx.post(f"{url}/predict", content=b"[" * 100_000)
        version = httpx.get(f"{url}/model/info/heart").json()["version"]
    assert (answer.status_code, answer.json()["version"]) == (200, version)
    assert list(answer.json()["predictions"][0]["probabilities"].values()) == raw_output(
        models, "heart", HEART_VECTOR
    )
    assert refused.status_code == 415  # neither JSON nor announced as such


def test_a_client_that_leaves_midway_leaves_no_trace(models: Path) -> None:
    with server_process(models, default_task="heart") as server:  # fails if it logs a Traceback
        head = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        server.wait_until_ready()


def test_serving_imports_no_training_library(models: Path) -> None:
    script = (
        "import sys; import serve.http.app; from serve.http.catalog import load_catalog\n"
        f"assert load_catalog(serve.http.app.Settings(models_dir={str(models)!r})).loaded\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = {"pandas", "sklearn", "torch", "mlflow", "xgboost", "lightgbm", "scipy", "onnx", "dvc"}
    assert "onnxruntime" in run.stdout.split()
    assert not (heavy | {"stages"}) & set(run.stdout.split())
