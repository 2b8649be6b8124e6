"""The OpenAPI document as it is true now: the loaded tasks with their columns, keys if needed."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from serve.http.catalog import Catalog
from serve.http.openapi import examples
from serve.http.openapi.bodies import CSV, JSON, MAX_EXPLAINED_ROWS, REF, file_body, request_body
from serve.http.openapi.rows import name_row, row_schema
from serve.http.settings import Settings
from serve.http.tensors import InferenceRequest
from serve.runtime.model import Model

Json = dict[str, Any]
NO_KEYS = ("401", "403")
LIMITED = "429"
SECURITY: Json = {
    "Bearer": {"type": "http", "scheme": "bearer"},
    "Header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
REQUEST_ID: Json = {
    "description": "the request's own, or a new one: the server's log has it",
    "schema": {"type": "string"},
}
COUNTS: Json = {
    name: {"description": meaning, "schema": {"type": "integer"}}
    for name, meaning in {
        "X-Rows": "rows of the file",
        "X-Bad-Rows": "rows without a prediction: their column error says why",
        "X-Warned-Rows": "rows with a prediction and a warning",
    }.items()
} | {"X-Model-Version": {"description": "which model answered", "schema": {"type": "string"}}}
RETRY_AFTER: Json = {"description": "seconds to wait", "schema": {"type": "integer"}}
DESCRIPTION = """\
Rows in, predictions out. A row is checked against its task's columns: what does not fit is refused
with every reason at once, what the model was not trained on is answered with a warning. Each answer
names the model's version, and has an X-Request-ID. There is [a page with a form](./) as well.

Tensors of the Open Inference Protocol may be bytes behind the JSON: give the JSON's length in
Inference-Header-Content-Length and each tensor's in its parameter binary_data_size.
"""
TAGS: Mapping[str, str] = {  # by how a path begins, in the order of the page
    "/predict": "Predictions",
    "/explain": "Explanations",
    "/v2": "Open Inference Protocol",
    "/model": "Models",
    "/admin": "Administration",
    "": "Server",
}


def build_document(general: Json, catalog: Catalog, settings: Settings) -> Json:
    """Return FastAPI's document, made true for what is served and asked for now.

    Paths with ``{task}`` become one for each task that they work for; what no request can get is
    left out.
    """
    made = copy.deepcopy(general)
    made["info"]["description"] = DESCRIPTION
    made["components"]["schemas"] |= _request_schemas()
    for operation in _list_operations(made):
        _drop_impossible(operation, settings)
        _add_headers(operation)
    if settings.api_keys:
        made["components"]["securitySchemes"] = SECURITY
    _write_tasks(made, catalog, settings)
    made["paths"] = _sort_paths(made["paths"])
    made["components"]["schemas"] = _keep_used(made)
    return made


# The parts that are one for each task


def _predict_body(model: Model, settings: Settings) -> Json:
    return request_body(model, _list_rows(model, settings), settings.max_rows)


def _csv_body(model: Model, settings: Settings) -> Json:
    return file_body("csv", model, _list_rows(model, settings))


def _parquet_body(model: Model, _settings: Settings) -> Json:
    return file_body("parquet", model)


def _explain_body(model: Model, settings: Settings) -> Json | None:
    if model.explainer is None:
        return None
    return request_body(model, _list_rows(model, settings)[:MAX_EXPLAINED_ROWS], MAX_EXPLAINED_ROWS)


def _infer_body(model: Model, settings: Settings) -> Json:
    inputs = examples.make_tensors(model, _list_rows(model, settings)[0])
    example = {"summary": "one row", "value": {"id": "1", "inputs": inputs}}
    schema = {"$ref": f"{REF}{InferenceRequest.__name__}"}
    return {"required": True, "content": {JSON: {"schema": schema, "examples": {"row": example}}}}


def _list_rows(model: Model, settings: Settings) -> list[Json]:
    return examples.list_rows(model, may_be_real=not settings.api_keys)


# A path for each task, by its template; where a body is None, the task has no such path.
Body = Callable[[Model, Settings], Json | None]
FOR_EACH_TASK: Mapping[str, tuple[str, Body]] = {
    "/predict/{task}": ("Predict", _predict_body),
    "/predict/{task}/csv": ("Predict a CSV file", _csv_body),
    "/predict/{task}/parquet": ("Predict a Parquet file", _parquet_body),
    "/explain/{task}": ("Explain", _explain_body),
    "/v2/models/{model_name}/infer": ("Infer", _infer_body),
}
NAMES = ("task", "model_name")  # of path parameters that stand for a task


def _write_tasks(made: Json, catalog: Catalog, settings: Settings) -> None:
    """Give each loaded task paths and schemas of its own, and the others' parameters its name."""
    models = [catalog.loaded[task] for task in sorted(catalog.loaded)]
    if not models:
        return
    made["components"]["schemas"] |= {name_row(model): row_schema(model) for model in models}
    paths = made["paths"]
    for template, (verb, body) in FOR_EACH_TASK.items():
        general = paths.pop(template)["post"]
        for model in models:
            if described := body(model, settings):
                task = model.manifest.task
                path = template.replace("{task}", task).replace("{model_name}", task)
                own = {
                    "summary": f"{verb}: {model.manifest.title}",
                    "operationId": f"{general['operationId']}_{task}",
                    "requestBody": described,
                }
                paths[path] = {"post": _drop_names(general) | own}
    if default := catalog.loaded.get(catalog.default or ""):
        paths["/predict"]["post"]["requestBody"] = _predict_body(default, settings)
    for parameter in _list_parameters(made):
        if parameter["name"] in NAMES:
            parameter["schema"]["enum"] = [model.manifest.task for model in models]


def _drop_names(operation: Json) -> Json:
    """Return a copy of an operation for one task, whose name is in the path."""
    made = copy.deepcopy(operation)
    kept = [parameter for parameter in made.pop("parameters", ()) if parameter["name"] not in NAMES]
    return made | ({"parameters": kept} if kept else {})


def _list_parameters(made: Json) -> Iterator[Json]:
    for operation in _list_operations(made):
        yield from operation.get("parameters", ())


# What holds for all operations


def _list_operations(made: Json) -> Iterator[Json]:
    for item in made["paths"].values():
        yield from item.values()


def _drop_impossible(operation: Json, settings: Settings) -> None:
    """Leave out the answers that no request can get, and say where a key is needed."""
    responses = operation["responses"]
    if _is_fastapis(responses.get("422")) and all(
        parameter["in"] == "path" for parameter in operation.get("parameters", ())
    ):
        del responses["422"]  # a text of a path is always a text
    if settings.api_keys and NO_KEYS[0] in responses:
        operation["security"] = [{name: []} for name in SECURITY]
    if not settings.api_keys:
        for code in NO_KEYS:
            responses.pop(code, None)
    if settings.rate_limit is None:
        responses.pop(LIMITED, None)


def _is_fastapis(response: Json | None) -> bool:
    schema = (response or {}).get("content", {}).get(JSON, {}).get("schema", {})
    return bool(schema.get("$ref") == f"{REF}HTTPValidationError")


def _add_headers(operation: Json) -> None:
    """Describe the headers that a client may read; every answer has an X-Request-ID."""
    answered = operation["responses"]["200"]
    is_file = CSV in answered.get("content", {})
    answered["headers"] = {"X-Request-ID": REQUEST_ID, **(COUNTS if is_file else {})}
    if LIMITED in operation["responses"]:
        operation["responses"][LIMITED]["headers"] = {"Retry-After": RETRY_AFTER}


def _request_schemas() -> Json:
    """Return the schemas of requests that FastAPI does not see."""
    schema = InferenceRequest.model_json_schema(ref_template=REF + "{model}")
    parts: Json = schema.pop("$defs")
    return {**parts, InferenceRequest.__name__: schema}


def _sort_paths(paths: Json) -> Json:
    """Return the paths by their tags, which are written into their operations."""
    begins = list(TAGS)
    placed = []
    for path, item in paths.items():
        place = next(at for at, begin in enumerate(begins) if path.startswith(begin))
        for operation in item.values():
            operation["tags"] = [TAGS[begins[place]]]
        placed.append((place, path, item))
    return {path: item for _, path, item in sorted(placed, key=lambda entry: entry[:2])}


def _keep_used(made: Json) -> Json:
    """Return the schemas that are referred to, directly or by others that are."""
    schemas = made["components"]["schemas"]
    waiting, used = [*_find_references(made["paths"])], set()
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += _find_references(schemas[name])
    return {name: schema for name, schema in sorted(schemas.items()) if name in used}


def _find_references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(reference := part.get("$ref"), str):
            yield reference.removeprefix(REF)
        part = list(part.values())
    for item in part if isinstance(part, list) else ():
        yield from _find_references(item)
