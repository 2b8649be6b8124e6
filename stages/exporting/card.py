"""Writes the model card: what a person should know of a model before using it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from stages.evaluating.content import Evaluation, Slice
from stages.evaluating.figures import shown
from stages.exporting.manifest import Column, Manifest

TEMPLATE = Path(__file__).with_name("card.md.jinja")
WORST = 5  # parts of the test rows listed


class Verbatim(str):
    """Text inside a code block, where Markdown needs no escapes."""


def card(manifest: Manifest, evaluated: Evaluation, rows: Mapping[str, int]) -> str:
    """Return the Markdown page; ``rows`` counts the rows of each split."""
    environment = Environment(
        finalize=escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {
        "shown": shown,
        "allowed": allowed,
        "span": span,
        "shell_json": shell_json,
        "answer": answer,
    }
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        manifest=manifest,
        evaluated=evaluated,
        trained=evaluated.trained,
        rows=rows,
        worst=worst(evaluated),
        calibration=evaluated.test.metrics.get("ece"),
        example=manifest.golden[0],
    )


def worst(evaluated: Evaluation) -> list[Slice]:
    """Return the slices with the worst values of the task's metric, the worst first."""
    sign = 1 if evaluated.higher_is_better else -1
    known = [(part.value, part) for part in evaluated.slices if part.value is not None]
    return [part for _, part in sorted(known, key=lambda pair: sign * pair[0])[:WORST]]


def escaped(value: Any) -> str:
    """Return text that Markdown shows as it is, inside a table as well."""
    if isinstance(value, Verbatim):
        return value
    text = " ".join(str(value).split("\n"))
    text = re.sub(r"([\\`*|]|(?<!\w)_|_(?!\w))", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;")


def allowed(column: Column) -> str:
    """Say which values a column takes: ``18 to 100``, ``1, 2, 3``, ``3 to 500 characters``."""
    if column.values:
        return ", ".join(map(str, column.values))
    if column.length:
        return f"{span(column.length)} characters"
    return span(column.range) if column.range else "any"


def span(bounds: Sequence[float]) -> str:
    return " to ".join(f"{bound:.6g}" for bound in bounds)


def shell_json(row: Mapping[str, Any]) -> Verbatim:
    """Return a row as JSON that a shell takes between single quotes."""
    return Verbatim(json.dumps(row, ensure_ascii=False).replace("'", "'\\''"))


def answer(output: Sequence[float], labels: Sequence[str]) -> str:
    """Say what the graph gives: ``0.2 for healthy, 0.8 for ill``, or the value."""
    if not labels:
        return shown(output[0])
    return ", ".join(f"{shown(p)} for {label}" for p, label in zip(output, labels, strict=True))
