"""The JSON Schema of a task's rows: it takes what the encoder takes, and nothing else."""

from collections.abc import Mapping
from typing import Any

from serve.runtime import messages
from serve.runtime.encode import DATETIME
from serve.runtime.manifest import Column
from serve.runtime.model import Model

Json = dict[str, Any]
TYPES: Mapping[str, Json] = {
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "datetime": {"type": "string", "pattern": DATETIME},
}


def row_schema(model: Model) -> Json:
    """Return the JSON Schema of a row: it takes what the encoder takes, and nothing else."""
    columns = model.manifest.columns
    return {
        "title": name_row(model),
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
    about = [column.description, messages.describe_expected(column)]
    if column.seen and not column.values:
        about.append(f"trained on values {messages.format_span(column.seen)}")
    return schema | {"description": "; ".join(filter(None, about))}


def _values_schema(column: Column) -> Json:
    if column.type == "text":
        fewest, most = column.characters
        return {"type": "string", "minLength": fewest, "maxLength": most}
    if not column.values:
        return dict(TYPES[column.type])
    if column.unseen == "reject":
        return {"enum": list(column.values)}
    return {"type": ["string", "number"], "examples": list(column.values)}  # others are flagged


def name_row(model: Model) -> str:
    """Return the name of the schema of a model's rows."""
    return f"{model.manifest.task}_row"
