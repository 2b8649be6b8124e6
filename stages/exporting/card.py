"""Writes the model card: what a person should know of a model before using it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from serve.runtime.manifest import Column, Manifest
from stages.evaluating.content import Evaluation, Slice
from stages.evaluating.formatting import format_number

TEMPLATE = Path(__file__).with_name("card.md.jinja")
WORST = 5  # parts of the test rows listed


class Verbatim(str):
    """Text inside a code span or block, where Markdown needs no escapes."""


def render_card(manifest: Manifest, evaluation: Evaluation, rows: Mapping[str, int]) -> str:
    """Return the Markdown page; ``rows`` counts the rows of each split."""
    environment = Environment(
        finalize=escape_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {
        "shown": format_number,
        "allowed": format_allowed,
        "span": format_span,
        "shell_json": quote_json,
        "answer": format_answer,
        "verbatim": Verbatim,
    }
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        manifest=manifest,
        evaluation=evaluation,
        trained=evaluation.trained,
        rows=rows,
        worst=find_worst_slices(evaluation),
        calibration=evaluation.test.metrics.get("ece"),
        example=manifest.golden[0],
    )


def find_worst_slices(evaluation: Evaluation) -> list[Slice]:
    """Return the slices with the worst values of the task's metric, the worst first."""
    sign = 1 if evaluation.higher_is_better else -1
    known = [(part.value, part) for part in evaluation.slices if part.value is not None]
    return [part for _, part in sorted(known, key=lambda pair: sign * pair[0])[:WORST]]


def escape_markdown(value: Any) -> str:
    """Return text that Markdown shows as it is, inside a table as well."""
    if isinstance(value, Verbatim):
        return value
    text = " ".join(str(value).split("\n"))
    text = re.sub(r"([\\`*|]|(?<!\w)_|_(?!\w))", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;")


def format_allowed(column: Column) -> str:
    """Say which values a column takes: ``18 to 100``, ``1, 2, 3``, ``3 to 500 characters``."""
    if column.values:
        return ", ".join(map(str, column.values))
    if column.length:
        return f"{format_span(column.length)} characters"
    return format_span(column.range) if column.range else "any"


def format_span(bounds: Sequence[float]) -> str:
    return " to ".join(f"{bound:.6g}" for bound in bounds)


def quote_json(row: Mapping[str, Any]) -> Verbatim:
    """Return a row as JSON that a shell takes between single quotes."""
    return Verbatim(json.dumps(row, ensure_ascii=False).replace("'", "'\\''"))


def format_answer(output: Sequence[float], labels: Sequence[str]) -> str:
    """Say what the graph gives: ``0.2 for healthy, 0.8 for ill``, or the value."""
    if not labels:
        return format_number(output[0])
    return ", ".join(
        f"{format_number(p)} for {label}" for p, label in zip(output, labels, strict=True)
    )
