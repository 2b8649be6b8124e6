"""Writes a draft as the YAML that a person would write, with a comment on every guess."""

import json
import re
from collections.abc import Mapping
from typing import Any

from commands.drafting.guess import Guess
from commands.drafting.target_inference import Aim
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


def written(
    title: str,
    origin: Mapping[str, Any],
    guesses: list[Guess],
    aim: Aim,
    group: str | None,
    rows: int,
) -> str:
    """Return the text of ``conf/task/<task>.yaml``."""
    marks = {guess.name: list(guess.marks) for guess in guesses if guess.marks and guess.type}
    source = {**origin, **({"missing_in": marks} if marks else {})}
    parts = [
        f"{MODELINE}"
        f"# Drafted from {rows:,} rows: read every line, fill in units and descriptions, then run\n"
        f"# `make repro`. A comment says what was guessed and why.\ntitle: {scalar(title)}\n",
        f"sources:\n  sample: {flow(source)}\n",
        _target(aim),
        _columns(guesses),
        _settings(aim, guesses, group, rows),
    ]
    return "\n".join(parts)


def _target(aim: Aim) -> str:
    lines = [
        f"  {key}: {flow(value)}{_comment(aim.comments.get(key, ''))}"
        for key, value in aim.target.items()
    ]
    return f"target:{_comment(aim.comments.get('target', ''))}\n" + "\n".join(lines) + "\n"


def _columns(guesses: list[Guess]) -> str:
    lines = ["columns:"]
    for guess in guesses:
        if not guess.left_out:
            content = flow({"type": guess.type, **guess.options})
            lines.append(f"  {quoted(guess.name)}: {content}{_comment(guess.comment)}")
    out = [guess for guess in guesses if guess.left_out]
    if out:
        lines.append("\nignored: # move a line up to `columns`, with a type, to use it")
    lines += [f"  - {quoted(guess.name)} # {_one_line(guess.left_out)}" for guess in out]
    return "\n".join(lines) + "\n"


def _settings(aim: Aim, guesses: list[Guess], group: str | None, rows: int) -> str:
    lines = [f"metric: {aim.metric}"]
    if aim.lacking:
        most = min(0.99, round(1.5 * aim.lacking + 0.005, 2))
        lines += [
            "on_bad_rows: quarantine # rows without a target are set aside, and any other bad one",
            f"max_bad_row_share: {max(most, 0.05)}",
        ]
    if group:
        lines.append(
            f"split: {{ group: {scalar(group)} }} # it repeats: its rows stay together in one split"
        )
    lines += [
        f"# split: {{ time: … }} by {scalar(guess.name)}, if later rows shall be foretold"
        for guess in guesses
        if guess.type == "datetime"
    ][: 0 if group else 1]
    if aim.cv:
        reason = "few rows: one round of folds is noisy" if "repeats" in aim.cv else "a rare class"
        lines.append(f"cv: {flow(aim.cv)} # {reason}")
    if rows > MANY_ROWS:
        lines.append(
            "models: { linear: , xgboost: , lightgbm: } # a forest of so many rows is large"
        )
    else:
        lines.append("models: { linear: , forest: , xgboost: , lightgbm: }")
    return "\n".join(lines) + "\n"


def flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{quoted(key)}: {flow(it)}" for key, it in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(it) for it in value) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """Return a scalar that YAML 1.1, YAML 1.2 and Hydra all read as the same value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return quoted(str(value)).replace("${", "\\\\${")  # else Hydra would look it up


def quoted(text: str) -> str:
    """Return a key, or a text, in quotes where it needs them."""
    if PLAIN.fullmatch(text) and text.casefold() not in SPECIAL and "  " not in text:
        return text
    return json.dumps(text, ensure_ascii=False)


def _comment(text: str) -> str:
    return f" # {_one_line(text)}" if text else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
