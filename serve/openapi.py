"""Writes the loaded tasks into the OpenAPI document: each one's path, row, answer and examples."""

import copy
from collections.abc import Mapping
from typing import Any

from serve import words
from serve.catalog import Catalog
from serve.encode import DATETIME, RowError
from serve.manifest import Column, Golden
from serve.model import Model
from serve.settings import Settings

Json = dict[str, Any]
TYPES: Mapping[str, Json] = {
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "datetime": {"type": "string", "pattern": DATETIME},
}
ANY_ROW: Json = {"type": "object", "description": "a key for each column of the task"}
MOST_ROWS: int = Settings.model_fields["max_rows"].default
REF = "#/components/schemas/"


def with_tasks(document: Json, catalog: Catalog) -> Json:
    """Return the document with a path for each loaded task in place of ``/predict/{task}``."""
    made = copy.deepcopy(document)
    if not catalog.loaded:
        return made
    models = catalog.loaded.values()
    made["components"]["schemas"] |= {_row_name(model): row_schema(model) for model in models}
    paths = made["paths"]
    general = paths.pop("/predict/{task}")["post"]
    paths |= {f"/predict/{model.manifest.task}": _operation(general, model) for model in models}
    if default := catalog.loaded.get(catalog.default or ""):
        paths["/predict"]["post"]["requestBody"] = request_body(default)
    made["paths"] = dict(sorted(paths.items(), key=lambda item: "predict" not in item[0]))
    return made


def request_body(model: Model | None = None) -> Json:
    """Describe a request's body: for one model with its columns and examples, else in general."""
    row = {"$ref": f"{REF}{_row_name(model)}"} if model else ANY_ROW
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": MOST_ROWS}
    content: Json = {"schema": {"anyOf": [row, rows]}}
    if model:
        content["examples"] = examples(model)
    return {"required": True, "content": {"application/json": content}}


def row_schema(model: Model) -> Json:
    """Return the JSON Schema of a row: it takes what the encoder takes, and nothing else."""
    columns = model.manifest.columns
    return {
        "title": _row_name(model),
        "type": "object",
        "properties": {column.name: column_schema(column) for column in columns},
        "required": [column.name for column in columns if column.missing == "forbidden"],
        "additionalProperties": False,
    }


def column_schema(column: Column) -> Json:
    """Return the JSON Schema of one column's values."""
    schema = _values_schema(column)
    if column.range:
        schema |= {"minimum": column.range[0], "maximum": column.range[1]}
    if column.missing == "allowed":
        schema = {"anyOf": [schema, {"type": "null"}]}
    about = [column.description, words.expected(column)]
    if column.seen and not column.values:
        about.append(f"trained on values {words.span(column.seen)}")
    return schema | {"description": "; ".join(filter(None, about))}


def _values_schema(column: Column) -> Json:
    if column.values and column.unseen == "flag":
        return {"type": ["string", "number"]}  # what is none of the values is answered as unknown
    return {"enum": list(column.values)} if column.values else dict(TYPES[column.type])


def examples(model: Model) -> Json:
    """Return requests that the model answers: golden rows that the contract lets in."""
    rows = [golden.input for golden in model.manifest.golden if _fits(model, golden)]
    if not rows:
        return {}
    return {
        "row": {"summary": "one row", "value": rows[0]},
        "rows": {"summary": "a list of rows", "value": rows},
    }


def _fits(model: Model, golden: Golden) -> bool:
    try:
        model.encoder.encode(["body"], dict(golden.input))
    except RowError:
        return False
    return True


def _operation(general: Json, model: Model) -> Json:
    made = {key: copy.deepcopy(part) for key, part in general.items() if key != "parameters"}
    task = model.manifest.task
    named = {"summary": f"Predict: {model.manifest.title}", "operationId": f"predict_{task}"}
    return {"post": made | named | {"requestBody": request_body(model)}}


def _row_name(model: Model) -> str:
    return f"{model.manifest.task}_row"
