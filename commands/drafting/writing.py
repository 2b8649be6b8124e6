"""Writes a draft as the YAML that a person would write, with a comment on every guess."""

import json
import re
from collections.abc import Mapping
from typing import Any

from commands.drafting.guess import Guess
from commands.drafting.target_inference import InferredTarget
from stages.composing.schema import MODELINE

PLAIN = re.compile(r"[A-Za-z_][\w.%/ -]*[\w.%/-]|[A-Za-z_]")
SPECIAL = {
    "yes",
    "no",
    "on",
    "off",
    "true",
    "false",
    "null",
    "none",
    "nan",
    "y",
    "n",
    "t",
    "f",
    "inf",
}
MANY_ROWS = 200_000  # from here on a forest takes long and grows large


def render_contract(
    title: str,
    origin: Mapping[str, Any],
    guesses: list[Guess],
    inferred: InferredTarget,
    group: str | None,
    rows: int,
) -> str:
    """Return the text of ``conf/task/<task>.yaml``."""
    marks = {guess.name: list(guess.marks) for guess in guesses if guess.marks and guess.type}
    source = {**origin, **({"missing_in": marks} if marks else {})}
    parts = [
        f"{MODELINE}"
        f"# Drafted from {rows:,} rows: read every line, fill in units and descriptions, then run\n"
        "# `make repro`. A comment says what was guessed and why.\n"
        f"title: {render_scalar(title)}\n",
        f"sources:\n  sample: {render_flow(source)}\n",
        _render_target(inferred),
        _render_columns(guesses),
        _render_settings(inferred, guesses, group, rows),
    ]
    return "\n".join(parts)


def _render_target(inferred: InferredTarget) -> str:
    lines = [
        f"  {key}: {render_flow(value)}{_render_comment(inferred.comments.get(key, ''))}"
        for key, value in inferred.target.items()
    ]
    return (
        f"target:{_render_comment(inferred.comments.get('target', ''))}\n" + "\n".join(lines) + "\n"
    )


def _render_columns(guesses: list[Guess]) -> str:
    lines = ["columns:"]
    for guess in guesses:
        if not guess.left_out:
            content = render_flow({"type": guess.type, **guess.options})
            lines.append(f"  {quote(guess.name)}: {content}{_render_comment(guess.comment)}")
    out = [guess for guess in guesses if guess.left_out]
    if out:
        lines.append("\nignored: # move a line up to `columns`, with a type, to use it")
    lines += [f"  - {quote(guess.name)} # {_join_lines(guess.left_out)}" for guess in out]
    return "\n".join(lines) + "\n"


def _render_settings(
    inferred: InferredTarget, guesses: list[Guess], group: str | None, rows: int
) -> str:
    lines = [f"metric: {inferred.metric}"]
    if inferred.lacking:
        most = min(0.99, round(1.5 * inferred.lacking + 0.005, 2))
        lines += [
            "on_bad_rows: quarantine # rows without a target are set aside, and any other bad one",
            f"max_bad_row_share: {max(most, 0.05)}",
        ]
    if group:
        split = f"split: {{ group: {render_scalar(group)} }}"
        lines.append(f"{split} # it repeats: its rows stay together in one split")
    lines += [
        f"# split: {{ time: … }} by {render_scalar(guess.name)}, if later rows shall be foretold"
        for guess in guesses
        if guess.type == "datetime"
    ][: 0 if group else 1]
    if inferred.cv:
        reason = (
            "few rows: one round of folds is noisy" if "repeats" in inferred.cv else "a rare class"
        )
        lines.append(f"cv: {render_flow(inferred.cv)} # {reason}")
    if rows > MANY_ROWS:
        lines.append(
            "models: { linear: , xgboost: , lightgbm: } # a forest of so many rows is large"
        )
    else:
        lines.append("models: { linear: , forest: , xgboost: , lightgbm: }")
    return "\n".join(lines) + "\n"


def render_flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, Mapping):
        return (
            "{ "
            + ", ".join(f"{quote(key)}: {render_flow(part)}" for key, part in value.items())
            + " }"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(render_flow(part) for part in value) + "]"
    return render_scalar(value)


def render_scalar(value: Any) -> str:
    """Return a scalar that YAML 1.1, YAML 1.2 and Hydra all read as the same value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return quote(str(value)).replace("${", "\\\\${")  # else Hydra would look it up


def quote(text: str) -> str:
    """Return a key, or a text, in quotes where it needs them."""
    if PLAIN.fullmatch(text) and text.casefold() not in SPECIAL and "  " not in text:
        return text
    return json.dumps(text, ensure_ascii=False)


def _render_comment(text: str) -> str:
    return f" # {_join_lines(text)}" if text else ""


def _join_lines(text: str) -> str:
    return " ".join(text.split())
