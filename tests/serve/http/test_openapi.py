"""The OpenAPI document: complete, true for what is served now, and its examples work."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serve.http.app import ROUTERS
from serve.http.keys import new_key
from serve.http.openapi.examples import make_up_row
from serve.http.openapi.rows import column_schema
from serve.runtime.encode import Encoder, RowError
from serve.runtime.load import load_model
from serve.runtime.manifest import Column
from serve.runtime.manifest_file import read_manifest
from tests.support.explained_models import write_explained_heart
from tests.support.serve_models import HEART, HEART_ROW, write_housing, write_wide
from tests.support.serving import serving

Json = dict[str, Any]
KEY, LINE = new_key(["predict", "admin"])
HIDDEN = {"/openapi.json", "/", "/docs", "/static/{name}", "/v2/"}  # pages, a second spelling


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Heart can be explained; housing and wide cannot."""
    folder = tmp_path_factory.mktemp("models")
    write_explained_heart(folder)
    write_housing(folder)
    write_wide(folder)
    return folder


@pytest.fixture(scope="module")
def document(client: TestClient) -> Json:
    found: Json = client.get("/openapi.json").json()
    return found


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_it_is_openapi_3_1(document: Json) -> None:
    assert document["openapi"].startswith("3.1.")


def test_every_reference_leads_somewhere_and_no_schema_is_left_over(document: Json) -> None:
    references = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references == set(document["components"]["schemas"])


def test_every_route_is_in_it(models: Path) -> None:
    """By their templates, before each task gets paths of its own."""
    with serving(models / "none") as client:
        found = set(client.get("/openapi.json").json()["paths"])
    routes = {route.path for router in ROUTERS for route in router.routes}
    assert routes - found == HIDDEN
    assert found <= routes


def test_operation_ids_are_unique(document: Json) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_each_task_has_the_paths_that_work_for_it(document: Json) -> None:
    paths = set(document["paths"])
    for task in ("heart", "housing", "wide"):
        assert {f"/predict/{task}", f"/v2/models/{task}/infer"} <= paths
        assert (f"/explain/{task}" in paths) == (task == "heart")
    assert not {path for path in paths if re.search(r"^/(predict|explain)/\{", path)}


def examples_of(document: Json) -> list[tuple[str, str, Json | str]]:
    return [
        (path, kind, example["value"])
        for path, _, operation in operations(document)
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
        for example in content.get("examples", {}).values()
    ]


@pytest.mark.parametrize("keys", ["", LINE], ids=["open", "with keys"])
def test_every_example_is_answered_as_it_stands(models: Path, keys: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}"} if keys else {}
    with serving(models, default="heart", api_keys=keys) as client:
        found = examples_of(client.get("/openapi.json", headers=headers).json())
        for path, kind, example in found:
            content = example if isinstance(example, str) else json.dumps(example)
            sent = {**headers, "Content-Type": kind}
            answer = client.post(path, content=content, headers=sent)
            assert answer.status_code == 200, (path, kind, answer.text)
            assert answer.headers.get("X-Bad-Rows", "0") == "0"
    paths = {path for path, _, _ in found}
    tasks = ("heart", "housing", "wide")
    assert {f"/{verb}/heart" for verb in ("predict", "explain")} <= paths
    assert {f"/predict/{task}/csv" for task in tasks} <= paths
    assert {f"/v2/models/{task}/infer" for task in tasks} | {"/predict"} <= paths


def test_where_keys_are_asked_for_the_examples_are_no_data(models: Path, document: Json) -> None:
    assert json.dumps(HEART_ROW) in json.dumps(document)
    with serving(models, api_keys=LINE) as client:
        headers = {"Authorization": f"Bearer {KEY}"}
        guarded = client.get("/openapi.json", headers=headers).text
    assert json.dumps(HEART_ROW, separators=(",", ":")) not in guarded
    assert str(HEART_ROW["chol"]) not in guarded


# Status codes and keys


def test_only_statuses_that_a_request_can_get_are_listed(document: Json) -> None:
    found = {
        (path, method): set(operation["responses"])
        for path, method, operation in operations(document)
    }
    posted = {"200", "400", "404", "413", "415", "422", "503"}
    assert found["/predict/heart", "post"] == posted
    assert found["/predict/heart/csv", "post"] == found["/predict/heart/parquet", "post"] == posted
    assert found["/explain/heart", "post"] == posted
    assert found["/model/info/{task}", "get"] == {"200", "404", "503"}
    assert found["/v2/models/heart/infer", "post"] == posted - {"422"}
    assert found["/health", "get"] == {"200"}
    assert found["/ready", "get"] == {"200", "503"}
    assert found["/models", "get"] == {"200"}


def test_keys_and_rates_are_told_where_they_are_asked_for(models: Path) -> None:
    with serving(models, api_keys=LINE, rate_limit="5") as client:
        document = client.get("/openapi.json", headers={"X-API-Key": KEY}).json()
    assert set(document["components"]["securitySchemes"]) == {"Bearer", "Header"}
    free = {"/health", "/ready", "/v2", "/v2/health/live", "/v2/health/ready"}
    for path, method, operation in operations(document):
        guarded = {"401", "403", "429"} <= set(operation["responses"])
        assert guarded == ("security" in operation) == (path not in free), (path, method)


def test_a_guarded_path_refuses_without_a_key_and_takes_either_header(models: Path) -> None:
    with serving(models, api_keys=LINE) as client:
        document = client.get("/openapi.json", headers={"X-API-Key": KEY}).json()
        for path, method, operation in operations(document):
            if "security" in operation:
                real = re.sub(r"\{.*?\}", "heart", path)
                assert client.request(method, real).status_code == 401, path
        for headers in ({"Authorization": f"Bearer {KEY}"}, {"X-API-Key": KEY}):
            assert client.get("/models", headers=headers).status_code == 200


def test_without_keys_no_security_is_named(document: Json) -> None:
    assert "securitySchemes" not in document["components"]
    assert not [path for path, _, operation in operations(document) if "security" in operation]


def test_a_reload_shows_in_the_document(tmp_path: Path) -> None:
    write_housing(tmp_path)
    with serving(tmp_path, reload="false") as client:
        assert "/predict/heart" not in client.get("/openapi.json").json()["paths"]
        write_explained_heart(tmp_path)
        client.post("/admin/reload")
        assert "/predict/heart" in client.get("/openapi.json").json()["paths"]


# Rows


def allows(schema: Json, value: object) -> bool:
    """Validate by JSON Schema, as far as the service's columns use it."""
    rules = {key: it for key, it in schema.items() if key not in ("description", "examples")}
    return all(RULES[key](limit, value) for key, limit in rules.items())


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TYPES = {
    "number": is_number,
    "integer": lambda value: is_number(value) and float(value).is_integer(),
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "null": lambda value: value is None,
}
RULES = {
    "type": lambda kind, value: any(
        TYPES[it](value) for it in ([kind] if isinstance(kind, str) else kind)
    ),
    "enum": lambda items, value: not isinstance(value, bool) and value in items,
    "minimum": lambda limit, value: not is_number(value) or value >= limit,
    "maximum": lambda limit, value: not is_number(value) or value <= limit,
    "pattern": lambda text, value: not isinstance(value, str) or bool(re.search(text, value)),
    "anyOf": lambda schemas, value: any(allows(schema, value) for schema in schemas),
}
VALUES = [
    None, True, False, 0, 1, 2, 3, 3.0, 6, 18, 17, 63, 63.5, 100, 101, -1, 80, 700.0, 700.5, 1e300,
    "", "1", "3", "true", "null", "2026-11-21", "2026-11-21T08:30Z", "2026-11-21T08:30:00+01:00",
    "2026-11-21T08", "20261121", "2026-W01", "now", [], {}, [3], {"a": 1},
]  # fmt: skip


@pytest.mark.parametrize("unseen", ["reject", "flag"])
@pytest.mark.parametrize("declared", HEART, ids=lambda item: item["name"])
def test_it_allows_exactly_what_the_encoder_takes(declared: Json, unseen: str) -> None:
    made = Column.model_validate_json(json.dumps({**declared, "unseen": unseen}))
    encoder = Encoder([made])
    for value in VALUES:
        assert takes(encoder, {made.name: value}) == allows(column_schema(made), value), value


def takes(encoder: Encoder, row: Json) -> bool:
    try:
        encoder.encode(["body"], row)
    except RowError:
        return False
    return True


def test_it_requires_exactly_what_may_not_be_missing(client: TestClient, document: Json) -> None:
    schema = document["components"]["schemas"]["heart_row"]
    errors = client.post("/predict/heart", json={}).json()["detail"]
    assert schema["required"] == [item["loc"][1] for item in errors] == ["age", "sex"]


def test_a_made_up_row_fits_every_kind_of_column(models: Path) -> None:
    model = load_model(models / "heart")
    row = make_up_row(model)
    assert list(row) == [it.name for it in read_manifest(models / "heart").columns]
    assert takes(model.encoder, row)
    assert row != HEART_ROW


# The document itself is made when it is asked for


def test_it_is_not_made_at_the_start(models: Path, monkeypatch: Any) -> None:
    asked = []
    monkeypatch.setattr(
        "serve.http.openapi.document.build_document", lambda *_: asked.append(1) or {}
    )
    with serving(models) as client:
        client.post("/predict/heart", json=HEART_ROW)
        assert asked == []
        client.get("/openapi.json")
    assert asked == [1]


def test_each_application_has_its_own(models: Path, tmp_path: Path) -> None:
    write_housing(tmp_path)
    with serving(models) as one, serving(tmp_path) as other:
        found = [set(it.get("/openapi.json").json()["paths"]) for it in (one, other)]
    assert "/predict/heart" in found[0]
    assert "/predict/heart" not in found[1]
