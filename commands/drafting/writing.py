"""Writes a draft as the YAML that a person would write, with a comment on every guess."""

import json
import re
from collections.abc import Mapping, Sequence
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
    target: str = "",
    comments: Sequence[str] = (),
) -> str:
    """Return the text of ``conf/task/<task>.yaml``; ``comments`` tell of the source."""
    source = {**origin, **_list_marks(guesses, inferred, target)}
    parts = [
        f"{MODELINE}"
        f"# Drafted from {rows:,} rows: read every line, fill in units and descriptions, then run\n"
        "# `make repro`. A comment says what was guessed and why.\n"
        f"title: {render_scalar(title)}\n",
        f"sources:{_render_comment('; '.join(comments))}\n  sample: {render_flow(source)}\n"
        "  published: ${.sample} # the same: no other table stands in for it\n",
        _render_target(inferred),
        _render_columns(guesses),
        _render_settings(inferred, guesses, group, rows),
    ]
    return "\n".join(parts)


def _list_marks(
    guesses: Sequence[Guess], inferred: InferredTarget, target: str
) -> dict[str, dict[str, list[str]]]:
    """Return what stands for missing in single columns and in the target, and what does not."""
    used = [(guess.name, guess.marks, guess.kept) for guess in guesses if guess.type]
    used.append((target, inferred.marks, inferred.kept))
    found = {
        "missing_in": {name: list(marks) for name, marks, _ in used if marks},
        "not_missing": {name: list(kept) for name, _, kept in used if kept},
    }
    return {key: value for key, value in found.items() if value}


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
    if inferred.class_weight:
        lines.append(f"class_weight: {inferred.class_weight} # what the metric asks for")
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
    return escape_unprintable(json.dumps(text, ensure_ascii=False))


def escape_unprintable(text: str) -> str:
    """Return a text in which YAML finds no character that it refuses, or that nobody sees."""
    return "".join(
        sign
        if sign.isprintable()
        else f"\\u{ord(sign):04x}"
        if ord(sign) < 1 << 16
        else f"\\U{ord(sign):08x}"
        for sign in text
    )


def _render_comment(text: str) -> str:
    return f" # {_join_lines(text)}" if text else ""


def _join_lines(text: str) -> str:
    return escape_unprintable(" ".join(text.split()))
