"""The Open Inference Protocol: to its specification, and with clients that others wrote."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from open_inference.openapi import client as openapi
from open_inference.openapi.errors.bad_request_error import BadRequestError
from open_inference.openapi.types.inference_request import InferenceRequest
from pydantic import BaseModel, ConfigDict, TypeAdapter
from tritonclient.utils import InferenceServerException

from serve.http.keys import new_key
from tests.support.serve_models import HEART_ROW, HOUSING_ROW, column
from tests.support.serving import Server, server_process, serving

Json = dict[str, Any]
KINDS = {
    "age": "INT64",
    "sex": "INT64",
    "chol": "FP64",
    "smoker": "BOOL",
    "visit": "BYTES",
    "thal": "INT64",
}
OTHER_ROW = {"age": 40, "sex": 0, "chol": 100.0, "smoker": False, "visit": "2020-02-29", "thal": 7}


@pytest.fixture(scope="module")
def server(models: Path) -> Iterator[Server]:
    with server_process(models) as server:
        yield server


def tensor(name: str, datatype: str, data: list[Any], shape: list[int] | None = None) -> Json:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


def inputs_of(*rows: Json) -> list[Json]:
    return [tensor(name, KINDS[name], [row[name] for row in rows]) for name in rows[0]]


def infer(client: TestClient, *inputs: Json, task: str = "heart", **more: Any) -> httpx.Response:
    return client.post(f"/v2/models/{task}/infer", json={"inputs": list(inputs), **more})


def predicted(client: TestClient, *rows: Json, task: str = "heart") -> list[Json]:
    answers: list[Json] = client.post(f"/predict/{task}", json=list(rows)).json()["predictions"]
    return answers


# The specification's objects, in our words: required keys, no others, strict types


class Exact(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class MetadataTensor(Exact):
    name: str
    datatype: str
    shape: list[int]


class MetadataModel(Exact):
    name: str
    versions: list[str]
    platform: str
    inputs: list[MetadataTensor]
    outputs: list[MetadataTensor]
    properties: dict[str, str]


class MetadataServer(Exact):
    name: str
    version: str
    extensions: list[str]


class ResponseOutput(Exact):
    name: str
    shape: list[int]
    datatype: str
    data: list[float | str | bool]


class InferenceResponse(Exact):
    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]


class Error(Exact):
    error: str


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v2", MetadataServer),
        ("/v2/", MetadataServer),
        ("/v2/models/heart", MetadataModel),
        ("/v2/models/housing", MetadataModel),
        ("/v2/models/heart/versions/{version}", MetadataModel),
        ("/v2/health/live", TypeAdapter(dict[str, bool])),
        ("/v2/health/ready", TypeAdapter(dict[str, bool])),
        ("/v2/models/heart/ready", TypeAdapter(dict[str, str | bool])),
        ("/v2/models/heart/versions/{version}/ready", TypeAdapter(dict[str, str | bool])),
    ],
)
def test_answers_have_the_specified_form(client: TestClient, path: str, kind: Any) -> None:
    version = client.get("/model/info/heart").json()["version"]
    answer = client.get(path.format(version=version))
    assert answer.status_code == 200
    validate = kind.model_validate_json if isinstance(kind, type) else kind.validate_json
    validate(answer.content)


@pytest.mark.parametrize("task", ["heart", "housing"])
def test_an_inference_has_the_specified_form(client: TestClient, task: str) -> None:
    rows = {"heart": inputs_of(HEART_ROW), "housing": housing(HOUSING_ROW)}
    answer = infer(client, *rows[task], task=task, id="42")
    found = InferenceResponse.model_validate_json(answer.content)
    assert found.id == "42"
    metadata = MetadataModel.model_validate_json(client.get(f"/v2/models/{task}").content)
    assert [it.name for it in metadata.outputs] == [it.name for it in found.outputs]
    for about, output in zip(metadata.outputs, found.outputs, strict=True):
        assert output.datatype == about.datatype
        assert output.shape == [1 if size == -1 else size for size in about.shape]
        assert len(output.data) == np.prod(output.shape)


def housing(*rows: Json) -> list[Json]:
    return [
        tensor("income", "FP64", [row["income"] for row in rows]),
        tensor("ocean", "BYTES", [row["ocean"] for row in rows]),
    ]


def test_without_an_id_there_is_none(client: TestClient) -> None:
    assert "id" not in infer(client, *inputs_of(HEART_ROW)).json()


def test_a_model_is_described_by_its_columns(client: TestClient) -> None:
    found = client.get("/v2/models/heart").json()
    assert {it["name"]: it["datatype"] for it in found["inputs"]} == KINDS
    assert all(it["shape"] == [-1] for it in found["inputs"])
    assert json.loads(found["properties"]["labels"]) == ["healthy", "ill"]
    assert found["versions"] == [client.get("/model/info/heart").json()["version"]]


# The same answers as /predict


def test_classes_are_exactly_those_of_predict(client: TestClient) -> None:
    rows = [HEART_ROW, OTHER_ROW, {**OTHER_ROW, "age": 90}]
    label, probabilities, warnings = infer(client, *inputs_of(*rows)).json()["outputs"]
    expected = predicted(client, *rows)
    assert label["data"] == [it["label"] for it in expected]
    assert probabilities["shape"] == [3, 2]
    flat = [share for it in expected for share in it["probabilities"].values()]
    assert probabilities["data"] == flat
    found = [json.loads(text) for text in warnings["data"]]
    assert [[it["msg"] for it in row] for row in found] == [
        [it["msg"] for it in row["warnings"]] for row in expected
    ]
    assert found[2][0]["loc"] == ["inputs", 2, "age"]


def test_values_are_exactly_those_of_predict(client: TestClient) -> None:
    rows = [HOUSING_ROW, {"income": 1.25, "ocean": "<1H OCEAN"}]
    value, interval, _ = infer(client, *housing(*rows), task="housing").json()["outputs"]
    expected = predicted(client, *rows, task="housing")
    assert value["data"] == [it["value"] for it in expected]
    assert interval["data"] == [end for it in expected for end in it["interval"]]


def test_missing_values_are_null(client: TestClient) -> None:
    row = {**HEART_ROW, "chol": None, "smoker": None, "visit": None, "thal": None}
    (label, probabilities, _) = infer(client, *inputs_of(row)).json()["outputs"]
    (expected,) = predicted(client, row)
    assert (label["data"], probabilities["data"]) == (
        [expected["label"]],
        [*expected["probabilities"].values()],
    )


def test_a_column_that_is_not_sent_is_missing(client: TestClient) -> None:
    without = [it for it in inputs_of(HEART_ROW) if it["name"] != "chol"]
    (expected,) = predicted(client, {**HEART_ROW, "chol": None})
    found = infer(client, *without).json()["outputs"][1]["data"]
    assert found == [*expected["probabilities"].values()]


@pytest.mark.parametrize(
    ("name", "datatype", "value"),
    [
        ("age", "INT32", 63),
        ("age", "UINT8", 63),
        ("age", "FP64", 63.0),
        ("age", "INT64", 63.0),
        ("sex", "FP32", 1.0),
        ("chol", "FP32", 233.5),
        ("smoker", "UINT8", 1),
        ("smoker", "FP64", 1.0),
        ("smoker", "BOOL", 1.0),
    ],
)
def test_other_datatypes_serve_where_the_value_is_the_same(
    client: TestClient, name: str, datatype: str, value: Any
) -> None:
    inputs = [it for it in inputs_of(HEART_ROW) if it["name"] != name]
    found = infer(client, *inputs, tensor(name, datatype, [value])).json()
    assert found["outputs"] == infer(client, *inputs_of(HEART_ROW)).json()["outputs"]


def test_shapes_with_one_column_and_nested_data_are_the_same(client: TestClient) -> None:
    flat = infer(client, *inputs_of(HEART_ROW, OTHER_ROW)).json()["outputs"]
    standing = [{**it, "shape": [2, 1]} for it in inputs_of(HEART_ROW, OTHER_ROW)]
    nested = [{**it, "data": [[value] for value in it["data"]]} for it in standing]
    assert infer(client, *standing).json()["outputs"] == flat
    assert infer(client, *nested).json()["outputs"] == flat


def test_one_tensor_may_hold_all_columns(tmp_path: Path) -> None:
    """As clients send that know rows of numbers only; a boolean is 0 or 1, NaN is missing."""
    columns = [
        column("size", "number", missing="allowed"),
        column("grade", "category", values=[3, 6, 7]),
        column("old", "boolean"),
    ]
    rows = [{"size": 2.5, "grade": 6, "old": True}, {"size": None, "grade": 3, "old": False}]
    golden = [{"input": rows[0], "output": [0.5]}]
    write_numbers(tmp_path, columns, golden)
    with serving(tmp_path) as client:
        content = np.array([[2.5, 6, 1], [np.nan, 3, 0]]).tobytes()
        size = {"parameters": {"binary_data_size": len(content)}}
        head = json.dumps(
            {"inputs": [{"name": "X", "datatype": "FP64", "shape": [2, 3], **size}]}
        ).encode()
        headers = {"Inference-Header-Content-Length": str(len(head))}
        answer = client.post("/v2/models/numbers/infer", content=head + content, headers=headers)
        expected = [it["value"] for it in predicted(client, *rows, task="numbers")]
        assert answer.json()["outputs"][0]["data"] == expected


def write_numbers(models: Path, columns: list[Json], golden: list[Json]) -> None:
    from tests.support.serve_models import graph, write_model

    weights = np.array([[0.2], [0.0], [0.0]])
    plain = {"labels": [], "positive": None, "threshold": None, "unit": None, "interval": None}
    changes = {
        "problem": "regression",
        "columns": columns,
        "target": plain,
        "onnx": {"input": "X", "output": "value"},
        "golden": golden,
    }
    write_model(models, "numbers", graph(weights, "value"), changes)


# What is asked for


def test_only_the_outputs_asked_for_are_given_in_that_order(client: TestClient) -> None:
    asked = [{"name": "probabilities"}, {"name": "label"}]
    found = infer(client, *inputs_of(HEART_ROW), outputs=asked).json()["outputs"]
    assert [it["name"] for it in found] == ["probabilities", "label"]


def test_unknown_parameters_are_let_be(client: TestClient) -> None:
    answer = infer(client, *inputs_of(HEART_ROW), parameters={"priority": 3, "mine": "x"})
    assert answer.status_code == 200


def test_outputs_come_as_bytes_where_asked(client: TestClient) -> None:
    asked = [{"name": "label"}, {"name": "probabilities", "parameters": {"binary_data": True}}]
    answer = infer(client, *inputs_of(HEART_ROW, OTHER_ROW), outputs=asked)
    length = int(answer.headers["Inference-Header-Content-Length"])
    label, probabilities = json.loads(answer.content[:length])["outputs"]
    assert label["data"] == [it["label"] for it in predicted(client, HEART_ROW, OTHER_ROW)]
    assert probabilities["parameters"] == {"binary_data_size": 4 * 8}
    flat = [
        share
        for it in predicted(client, HEART_ROW, OTHER_ROW)
        for share in it["probabilities"].values()
    ]
    assert list(struct.unpack("<4d", answer.content[length:])) == flat


# What does not fit


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "the body is not JSON"),
        ("[]", "not a request of this protocol"),
        ("{}", "inputs: Field required"),
        ('{"inputs": []}', "inputs: List should have at least 1 item"),
        ('{"inputs": [], "inputs": []}', "the key 'inputs' is there more than once"),
        ('{"inputs": [{"name": "a", "name": "b"}]}', "the key 'name' is there more than once"),
        ('{"id": 7, "inputs": []}', "id: Input should be a valid string"),
        ('{"inputs": [{"name": "age"}]}', "inputs.0.shape: Field required"),
    ],
)
def test_what_is_no_request_is_400(client: TestClient, body: str, message: str) -> None:
    answer = client.post("/v2/models/heart/infer", content=body)
    assert answer.status_code == 400
    assert message in Error.model_validate_json(answer.content).error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [2]}, "the same number of rows"),
        ({"shape": [0]}, "at least one"),
        ({"shape": [1, 2]}, "cannot hold 1 values"),
        ({"shape": [1, 2], "data": [63, 64]}, "'age' has 2 columns"),
        ({"shape": [1, 1, 1]}, "inputs.0.shape: List should have at most 2 items"),
        ({"shape": [-1]}, "greater than or equal to 0"),
        ({"shape": [1.5]}, "valid integer"),
        ({"datatype": "INT65"}, "inputs.0.datatype"),
        ({"data": ["63"]}, 'cannot hold the text "63" at 0 of its data'),
        ({"data": [True]}, "cannot hold the boolean true"),
        ({"data": [63.5]}, "cannot hold 63.5 at 0"),
        ({"data": [{}]}, "cannot hold an object at 0"),
        ({"data": [[63], []], "shape": [2]}, "the same number of rows"),
        ({"data": 63}, "inputs.0.data"),
        ({"data": None}, "needs data or binary_data_size"),
        ({"data": [200]}, "row 0, age: expected an integer from 18 to 100 (years), got 200"),
        ({"data": [None]}, "row 0, age: expected an integer from 18 to 100 (years), got null"),
        ({"name": "agee"}, "row 0, agee: there is no such column: did you mean age?"),
        ({"parameters": {"binary_data_size": 8}}, "needs data or binary_data_size"),
    ],
)
def test_a_tensor_that_does_not_fit_is_400(client: TestClient, change: Json, message: str) -> None:
    age, *others = inputs_of(HEART_ROW)
    answer = infer(client, {**age, **change}, *others)
    assert answer.status_code == 400
    assert message in Error.model_validate_json(answer.content).error


def test_nan_is_no_json_number_of_a_tensor(client: TestClient) -> None:
    body = json.dumps({"inputs": inputs_of({**HEART_ROW, "chol": float("nan")})})
    answer = client.post("/v2/models/heart/infer", content=body)
    assert answer.status_code == 400
    assert "NaN" in answer.json()["error"]


def test_rows_of_different_lengths_are_400(client: TestClient) -> None:
    age, *others = inputs_of(HEART_ROW, OTHER_ROW)
    ragged = {**age, "data": [[1, 2], [3]], "shape": [2, 1]}
    assert "rows of different lengths" in infer(client, ragged, *others).json()["error"]


def test_an_input_twice_is_400(client: TestClient) -> None:
    age, *others = inputs_of(HEART_ROW)
    assert "'age' is there twice" in infer(client, age, age, *others).json()["error"]


def test_an_output_that_is_none_is_400(client: TestClient) -> None:
    answer = infer(client, *inputs_of(HEART_ROW), outputs=[{"name": "scores"}])
    assert answer.status_code == 400
    assert "there is no output 'scores': there is label, probabilities, warnings" in answer.text


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v2/models/wine", "there is no model 'wine': there is heart, housing"),
        ("/v2/models/wine/ready", "there is no model 'wine'"),
        ("/v2/models/heart/versions/1", "heart is served in version"),
        ("/v2/models/heart/versions/1/ready", "heart is served in version"),
    ],
)
def test_what_is_not_served_is_404(client: TestClient, path: str, message: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert message in Error.model_validate_json(answer.content).error


def test_another_version_infers_nothing(client: TestClient) -> None:
    body = {"inputs": inputs_of(HEART_ROW)}
    version = client.get("/model/info/heart").json()["version"]
    path = "/v2/models/heart/versions/{}/infer"
    assert client.post(path.format(version), json=body).status_code == 200
    assert client.post(path.format("1"), json=body).status_code == 404


def test_more_rows_than_allowed_are_413(models: Path) -> None:
    with serving(models, max_rows="2") as client:
        assert infer(client, *inputs_of(*[HEART_ROW] * 2)).status_code == 200
        refused = infer(client, *inputs_of(*[HEART_ROW] * 3))
    assert (refused.status_code, refused.json()) == (
        413,
        {"error": "3 rows: a request takes at most 2"},
    )


def test_other_content_is_415(client: TestClient) -> None:
    headers = {"Content-Type": "text/csv"}
    answer = client.post("/v2/models/heart/infer", content="a,b", headers=headers)
    assert (answer.status_code, list(answer.json())) == (415, ["error"])


def test_a_key_is_asked_for_but_by_the_probes(models: Path) -> None:
    key, line = new_key(["predict"])
    with serving(models, api_keys=line) as client:
        for path in ("/v2/health/live", "/v2/health/ready", "/v2"):
            assert client.get(path).status_code == 200
        refused = client.get("/v2/models/heart")
        assert (refused.status_code, list(refused.json())) == (401, ["error"])
        headers = {"Authorization": f"Bearer {key}"}
        assert client.get("/v2/models/heart", headers=headers).status_code == 200


def test_a_server_without_models_is_not_ready(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        answer = client.get("/v2/health/ready")
        assert (answer.status_code, answer.json()) == (503, {"ready": False})
        assert client.get("/v2/health/live").json() == {"live": True}
        assert client.get("/v2/models/heart/ready").status_code == 503


# Bytes


def as_bytes(*inputs: tuple[str, str, list[int], bytes]) -> tuple[bytes, dict[str, str]]:
    """Return a request whose inputs (name, datatype, shape, content) are bytes, and its headers."""
    described = [
        {
            "name": name,
            "datatype": kind,
            "shape": shape,
            "parameters": {"binary_data_size": len(content)},
        }
        for name, kind, shape, content in inputs
    ]
    head = json.dumps({"inputs": described}).encode()
    content = b"".join(content for *_, content in inputs)
    return head + content, {"Inference-Header-Content-Length": str(len(head))}


def housing_bytes(income: bytes, ocean: bytes) -> tuple[bytes, dict[str, str]]:
    return as_bytes(("income", "FP64", [1], income), ("ocean", "BYTES", [1], ocean))


INLAND = struct.pack("<I", 6) + b"INLAND"
INCOME = struct.pack("<d", 3.5)


def test_bytes_are_little_endian_and_texts_have_their_length(client: TestClient) -> None:
    body, headers = housing_bytes(INCOME, INLAND)
    answer = client.post("/v2/models/housing/infer", content=body, headers=headers)
    assert answer.json()["outputs"][0]["data"] == [90_000.0]


@pytest.mark.parametrize(
    ("income", "ocean", "message"),
    [
        (INCOME[:-1], INLAND, "cannot hold 7 bytes"),
        (INCOME * 2, INLAND, "cannot hold 2 values"),
        (INCOME, INLAND[:-1], "a text that ends behind its 9 bytes"),
        (INCOME, b"\x01", "a text that ends behind its 1 bytes"),
        (INCOME, struct.pack("<I", 2**32 - 1) + b"x", "a text that ends behind"),
        (INCOME, struct.pack("<I", 1) + b"\xff", "a text that is not UTF-8"),
        (struct.pack("<d", np.inf), INLAND, "row 0, income: "),
        (struct.pack("<d", np.nan), INLAND, "row 0, income: "),  # missing, and it may not be
    ],
)
def test_bytes_that_do_not_fit_are_400(
    client: TestClient, income: bytes, ocean: bytes, message: str
) -> None:
    body, headers = housing_bytes(income, ocean)
    answer = client.post("/v2/models/housing/infer", content=body, headers=headers)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 30, "", "x"])
def test_a_length_of_the_json_that_makes_no_sense_is_400(client: TestClient, length: str) -> None:
    headers = {"Inference-Header-Content-Length": length}
    answer = client.post("/v2/models/heart/infer", content=b"{}", headers=headers)
    assert answer.status_code == 400
    assert "Inference-Header-Content-Length" in answer.json()["error"]


def test_bytes_that_no_input_takes_are_400(client: TestClient) -> None:
    body, headers = housing_bytes(INCOME, INLAND)
    answer = client.post("/v2/models/housing/infer", content=body + b"more", headers=headers)
    assert "22 bytes follow the JSON; the inputs say 18" in answer.json()["error"]


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=60), cut=st.integers(0, 400))
def test_no_bytes_make_the_server_fail(client: TestClient, content: bytes, cut: int) -> None:
    body, _ = housing_bytes(INCOME, content)
    headers = {"Inference-Header-Content-Length": str(cut)}
    for more in ({}, headers):
        answer = client.post("/v2/models/housing/infer", content=body, headers=more)
        assert answer.status_code in (200, 400)


# Clients


def test_tritons_client_gets_the_same_answer_in_bytes(server: Server) -> None:
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("heart")
        assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
        inputs = [
            triton_input("age", np.array([63, 40])),
            triton_input("sex", np.array([1, 0], dtype=np.int32)),
            triton_input("chol", np.array([233.5, np.nan])),
            triton_input("smoker", np.array([True, False])),
            triton_input("visit", np.array([b"2026-11-21T08:30:00Z", b""], dtype=object)),
            triton_input("thal", np.array([[6], [7]])),
        ]
        result = client.infer("heart", inputs, request_id="mine")
    rows = [HEART_ROW, {**OTHER_ROW, "chol": None, "visit": None}]
    answer = httpx.post(f"{server.url}/predict/heart", json=rows).json()["predictions"]
    assert result.get_response()["id"] == "mine"
    assert result.as_numpy("label").tolist() == [it["label"].encode() for it in answer]
    shares = [[*it["probabilities"].values()] for it in answer]
    assert result.as_numpy("probabilities").tolist() == shares


def triton_input(name: str, values: Any, binary: bool = True) -> Any:
    kinds = {"i8": "INT64", "i4": "INT32", "f8": "FP64", "b1": "BOOL", "O": "BYTES"}
    made = triton.InferInput(name, values.shape, kinds[values.dtype.str[1:]])
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def test_tritons_client_gets_the_same_answer_in_json(server: Server) -> None:
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        inputs = [
            triton_input("income", np.array([3.5]), binary=False),
            triton_input("ocean", np.array(["INLAND"], dtype=object), binary=False),
        ]
        asked = [triton.InferRequestedOutput("value", binary_data=False)]
        result = client.infer("housing", inputs, outputs=asked)
    assert result.as_numpy("value").tolist() == [90_000.0]
    assert result.as_numpy("interval") is None


def test_tritons_client_is_told_why_not(server: Server) -> None:
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        inputs = [triton_input("income", np.array([99.0]))]
        with pytest.raises(InferenceServerException, match=r"row 0, income: expected .* 0 to 16"):
            client.infer("housing", inputs)
        with pytest.raises(InferenceServerException, match="there is no model 'wine'"):
            client.get_model_metadata("wine")


def test_the_protocols_own_client_gets_the_same_answer(server: Server) -> None:
    client = openapi.OpenInferenceClient(base_url=server.url)
    client.check_server_liveness()
    client.check_server_readiness()
    client.check_model_readiness("heart")
    version = client.read_model_metadata("heart").versions[0]  # type: ignore[index]
    assert client.read_model_version_metadata("heart", version).name == "heart"
    request = InferenceRequest.parse_obj({"id": "7", "inputs": inputs_of(HEART_ROW)})
    for answer in (
        client.model_infer("heart", request=request),
        client.model_version_infer("heart", version, request=request),
    ):
        expected = httpx.post(f"{server.url}/predict/heart", json=HEART_ROW).json()
        (prediction,) = expected["predictions"]
        found = {it.name: it.data.dict()["__root__"] for it in answer.outputs}
        assert answer.id == "7"
        assert found["label"] == [prediction["label"]]
        assert found["probabilities"] == [*prediction["probabilities"].values()]


def test_the_protocols_own_client_is_told_why_not(server: Server) -> None:
    client = openapi.OpenInferenceClient(base_url=server.url)
    request = InferenceRequest.parse_obj({"inputs": inputs_of({**HEART_ROW, "age": 200})})
    with pytest.raises(BadRequestError) as caught:
        client.model_infer("heart", request=request)
    assert "row 0, age: expected an integer" in caught.value.body["error"]
