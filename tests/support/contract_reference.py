"""Writes ``docs/contract.md`` from the typed contract: ``make readme``."""

import json
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stages.composing.files import DEFAULTS, read_file
from stages.contract.columns import Column
from stages.contract.cross_validation import CrossValidation
from stages.contract.expressions import ALLOWED
from stages.contract.source import Member, Origin
from stages.contract.split import Split, TimeSplit
from stages.contract.target import Target
from stages.contract.task import Task
from stages.contract.text_features import TextFeatures
from stages.contract.tuning import Tuning
from stages.validating.rules import RULES
from tests.support.clone import ROOT

HEAD = """\
# The contract

Every key that a file in `conf/task/` may have. `make readme` writes this page from the typed
classes in [stages/contract](../stages/contract). What a task leaves out,
[conf/contract.yaml](../conf/contract.yaml) says for all of them. `make compose` refuses anything
else, with file, key, value and the choices. An editor with a YAML language server completes and
checks the keys while you type: the first line of each task's file names
[conf/task.schema.json](../conf/task.schema.json).
"""
# What each part is called on the page, and which keys of other parts lead there.
SECTIONS: dict[str, type[BaseModel]] = {
    "A task": Task,
    "`sources`: each of them": Origin,
    "`members` of a source": Member,
    "`columns`: each of them": Column,
    "`target`": Target,
    "`split`": Split,
    "`split.time`": TimeSplit,
    "`cv`": CrossValidation,
    "`text`": TextFeatures,
    "`tune`: each model": Tuning,
}
LAID_OVER = {Split: "split", CrossValidation: "cv", TextFeatures: "text"}


def render_reference() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for title, kind in SECTIONS.items():
        parts.append(f"## {title}\n\n{_describe(kind)}{_table(kind)}")
    parts.append(
        f"## Formulas\n\n`target.expression` and `derived` are formulas. One may hold {ALLOWED}.\n"
    )
    parts.append(f"## Rules\n\n`checks` may name each of these.\n\n{_rules()}")
    return "\n".join(parts)


def _describe(kind: type[BaseModel]) -> str:
    return " ".join((kind.__doc__ or "").replace("``", "`").split()) + "\n\n"


def _table(kind: type[BaseModel]) -> str:
    rows = "".join(
        f"| `{name}` | {_name_type(field)} | {_show_default(kind, name, field)} "
        f"| {_meaning(field)} |\n"
        for name, field in kind.model_fields.items()
        if (kind, name) != (Task, "origin")
    )
    return f"| key | type | default | meaning |\n|---|---|---|---|\n{rows}"


def _name_type(field: FieldInfo) -> str:
    return _escape(_spell(field.annotation))


def _spell(annotation: Any) -> str:
    """Return a type as a reader of YAML calls it."""
    plain = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if annotation in plain:
        return plain[annotation]
    parts = get_args(annotation)
    origin = getattr(annotation, "__origin__", None)
    if annotation is type(None):
        return "null"
    if annotation is Any:
        return "any"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a section"
    if origin is tuple:
        return f"list of {_spell(parts[0])}"
    if origin is dict:
        return f"{_spell(parts[1])}, by name"
    if str(annotation).startswith("typing.Annotated"):
        return _spell(parts[0])
    if str(annotation).startswith("typing.Literal"):
        return " or ".join(f"`{part}`" for part in parts)
    return " or ".join(_spell(part) for part in parts)


def _show_default(kind: type[BaseModel], name: str, field: FieldInfo) -> str:
    """Return what holds where a task leaves the key out: of ``conf/contract.yaml``, or the type."""
    common = read_file(ROOT / DEFAULTS["task"])
    laid_under = common if kind is Task else common.get(LAID_OVER.get(kind), {})
    if name in laid_under:
        return (
            "its own"
            if laid_under[name] and kind is Task and _is_section(name)
            else (f"`{_write(laid_under[name])}`")
        )
    required = field.is_required()
    return "required" if required else f"`{_write(field.get_default(call_default_factory=True))}`"


def _is_section(name: str) -> bool:
    return name in LAID_OVER.values()


def _write(value: Any) -> str:
    """Return a value as JSON, which is YAML on one line."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _meaning(field: FieldInfo) -> str:
    return _escape(" ".join((field.description or "").split()))


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


def _rules() -> str:
    rows = "".join(f"| `{name}` | {usual} | {text} |\n" for name, (usual, text) in RULES.items())
    return f"| rule | usually | what breaks it |\n|---|---|---|\n{rows}"
