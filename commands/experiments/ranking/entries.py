"""What each state's candidates scored, read from the ``evaluation.json`` that its lock file names.

Nothing is checked out: the objects come from DVC's cache.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from commands.experiments.ranking.history import State
from commands.workspace.lockfile import output_hashes, read_stages

EVALUATE, RESULT = "evaluate-", "evaluation.json"


@dataclass(frozen=True)
class Entry:
    """A candidate of one task in one state. ``test`` is the champion's only: value, low, high."""

    task: str
    metric: str
    higher_is_better: bool
    model: str
    mean: float
    error: float | None
    test: tuple[float, float | None, float | None] | None
    rows: int
    confidence: float
    state: State
    changes: tuple[str, ...]


def entries(found: Iterable[State], cache: Path) -> tuple[list[Entry], int]:
    """Return every candidate once, in the first state that has it, and how many results lack.

    A result lacks where the cache does not have it.
    """
    known: set[str] = set()
    listed, lacking = list[Entry](), 0
    for state in found:
        for digest in _results(state):
            path = cache / digest[:2] / digest[2:]
            if path.exists():
                listed += _new(json.loads(path.read_bytes()), state, known)
            else:
                lacking += 1
    return listed, lacking


def _results(state: State) -> Iterator[str]:
    """Yield the hash of each task's result that a state's ``dvc.lock`` names."""
    for entry in read_stages(state.read, prefix=EVALUATE).values():
        hashes = output_hashes(entry).items()
        yield from (digest for path, digest in hashes if path.endswith(f"/{RESULT}"))


def _new(evaluation: dict[str, Any], state: State, known: set[str]) -> Iterator[Entry]:
    test = evaluation["test"]
    value = test["metrics"][evaluation["metric"]]
    for candidate in evaluation["candidates"]:
        of = [evaluation["task"], evaluation["metric"], candidate["model"]]
        key = json.dumps([of, candidate["scores"], candidate["trained"]])
        if key in known:
            continue
        known.add(key)
        yield Entry(
            task=evaluation["task"],
            metric=evaluation["metric"],
            higher_is_better=evaluation["higher_is_better"],
            model=candidate["model"],
            mean=candidate["mean"],
            error=candidate["standard_error"],
            test=(value["value"], value["low"], value["high"]) if candidate["chosen"] else None,
            rows=test["rows"],
            confidence=test["confidence"],
            state=state,
            changes=tuple(_changes(state)),
        )


def _changes(state: State) -> Iterator[str]:
    """Yield each parameter that a state sets otherwise than the commit it is based on."""
    if state.commit == state.base:
        return
    here, there = (
        _flat(YAML(typ="safe").load(text) or {})
        for text in (
            state.read("params.yaml"),
            State("", state.base, state.base, "").read("params.yaml"),
        )
    )
    for key, value in here.items():
        if key not in there or there[key] != value:
            yield f"{key}={value}"


def _flat(content: Any, key: str = "") -> dict[str, Any]:
    if not isinstance(content, dict):
        return {key: content}
    return {
        name: value
        for part, it in content.items()
        for name, value in _flat(it, f"{key}.{part}" if key else str(part)).items()
    }
