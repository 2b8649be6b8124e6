"""Describes what a route takes and answers, in general or for one model."""

from collections.abc import Sequence
from typing import Any

from serve.http.openapi import examples
from serve.http.openapi.rows import name_row
from serve.http.schemas import ERRORS
from serve.http.settings import Settings
from serve.runtime.model import Model

Json = dict[str, Any]
ANY_ROW: Json = {"type": "object", "description": "a key for each column of the task"}
MAX_ROWS: int = Settings.model_fields["max_rows"].default
MAX_EXPLAINED_ROWS = 100  # a row takes milliseconds, with thousands of trees tens of them
REF = "#/components/schemas/"
JSON = "application/json"
CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
FILES = {"csv": CSV, "parquet": PARQUET}


def request_body(
    model: Model | None = None, rows: list[Json] | None = None, most: int = MAX_ROWS
) -> Json:
    """Describe a request's body: for one model with its columns and examples, else in general."""
    row = {"$ref": f"{REF}{name_row(model)}"} if model else ANY_ROW
    several = {"type": "array", "items": row, "minItems": 1, "maxItems": most}
    content: Json = {"schema": {"anyOf": [row, several]}}
    if rows:
        content["examples"] = {
            "row": {"summary": "one row", "value": rows[0]},
            "rows": {"summary": "a list of rows", "value": rows},
        }
    return {"required": True, "content": {JSON: content}}


def file_body(kind: str, model: Model | None = None, rows: list[Json] | None = None) -> Json:
    """Describe a file as a request's body; a CSV one has an example that works when pasted."""
    if kind == "parquet":
        described = "a table with a column for each of the task's"
        file = {"type": "string", "format": "binary", "description": described}
        return {"required": True, "content": {PARQUET: {"schema": file}}}
    content: Json = {"schema": {"type": "string", "description": "UTF-8, with a header"}}
    if model and rows:
        value = examples.write_csv(model, rows)
        content["examples"] = {"table": {"summary": "a table", "value": value}}
    return {"required": True, "content": {CSV: content}}


def file_responses(kinds: Sequence[str]) -> dict[int | str, Json]:
    """Describe the answers to a file: predictions in files of these kinds, and refusals."""
    content = {FILES[kind]: {"schema": {"type": "string"}} for kind in kinds}
    if PARQUET in content:
        content[PARQUET]["schema"]["format"] = "binary"
    described = (
        "a row for each row of the file, in their order: its number, its id, the prediction, "
        "warnings, and in the column error why there is none"
    )
    changed: dict[int | str, Json] = {
        400: {**ERRORS[400], "description": "the body is no such file"},
        415: {**ERRORS[415], "description": "the Content-Type is another"},
        422: {**ERRORS[422], "description": "the file's columns are not the task's"},
        503: {**ERRORS[503], "description": "the model is not loaded, or no room for the file"},
    }
    return {**ERRORS, **changed, 200: {"description": described, "content": content}}
