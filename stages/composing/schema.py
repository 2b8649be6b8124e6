"""``conf/task.schema.json``: what a task's file may say, for editors to complete and check.

It is made from the typed contract and from the names in ``conf/``. What needs the whole contract to
judge (a formula's columns, a range that is turned round) only ``compose`` checks.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.composing.files import CONF, DEFAULTS, SCHEMA, read_file
from stages.contract.task import Task
from stages.contract.types import Problem
from stages.evaluating.metrics import metrics_for
from stages.validating.rules import SEVERITY

FILE = SCHEMA
# What the first line of a task's file says, so that editors find it.
MODELINE = f"# yaml-language-server: $schema=../{FILE.name}\n"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
COMPOSED = "origin"  # no task's file says it
LAID_OVER = ("Split", "CrossValidation", "TextFeatures")  # sections of which a task says parts
INTERPOLATION = {"type": "string", "pattern": r"^\$\{.+\}$"}  # what Hydra puts in its place


def render_schema() -> str:
    """Return the JSON Schema of a task's file, as text."""
    schema = Task.model_json_schema()
    definitions, properties = schema["$defs"], schema["properties"]
    del properties[COMPOSED]
    defaults = read_file(DEFAULTS["task"])
    for name, value in defaults.items():
        properties[name].setdefault("default", value)
    schema["required"] = [key for key in schema["required"] if key in properties.keys() - defaults]
    for name in LAID_OVER:
        definitions[name].pop("required")
    _allow_yaml_forms(properties, definitions)
    _list_choices(properties, definitions)
    schema |= _list_metrics_by_problem()
    ordered = {"$schema": DRAFT, "title": "A task's file", **_tidy(schema)}
    return json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"


def _allow_yaml_forms(properties: Any, definitions: Any) -> None:
    """Allow what YAML and Hydra make the same of: bare names, references, lists of classes."""
    for name in ("models", "encoders"):
        properties[name]["additionalProperties"] = {"type": ["object", "null"]}
    source = properties["sources"]["additionalProperties"]
    properties["sources"]["additionalProperties"] = {"anyOf": [source, INTERPOLATION]}
    classes = definitions["Target"]["properties"]["classes"]
    tokens = {"type": ["string", "integer", "boolean"]}
    classes["anyOf"].append({"type": "array", "items": tokens, "minItems": 2})


def _list_choices(properties: Any, definitions: Any) -> None:
    """List the files of ``conf/`` and the rules that can be named."""
    for key, group in (("models", "model"), ("encoders", "encoder"), ("tune", "tune")):
        properties[key]["propertyNames"] = {"enum": _list_files(group)}
    for checks in (properties["checks"], definitions["Column"]["properties"]["checks"]):
        checks["propertyNames"] = {"enum": list(SEVERITY)}


def _list_metrics_by_problem() -> dict[str, Any]:
    """Return the condition that lets a task have its own problem's metrics only."""
    has_classes = {"properties": {"target": {"required": ["classes"]}}}
    return {
        "if": has_classes,
        "then": {"properties": {"metric": {"enum": _list_metrics("classification")}}},
        "else": {"properties": {"metric": {"enum": _list_metrics("regression")}}},
    }


def _list_files(group: str) -> list[str]:
    return sorted(path.stem for path in Path(CONF, group).glob("*.yaml"))


def _list_metrics(problem: Problem) -> list[str]:
    return [metric.name for metric in metrics_for(problem) if metric.direction]


def _tidy(schema: Any, inside: Sequence[str] = ()) -> Any:
    """Leave out the titles that pydantic makes of names, and write descriptions on one line."""
    if isinstance(schema, list):
        return [_tidy(part, inside) for part in schema]
    if not isinstance(schema, dict):
        return schema
    is_schema = not inside or inside[-1] not in ("properties", "$defs")
    tidied = {}
    for key, value in schema.items():
        if is_schema and key == "description":
            tidied[key] = " ".join(value.replace("``", "`").split())
        elif not (is_schema and key == "title"):
            tidied[key] = _tidy(value, (*inside, key))
    return tidied
